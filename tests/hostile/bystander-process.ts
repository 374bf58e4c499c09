/**
 * A bystander in a process of its own, so that nothing but the hub keeps it waiting. At `begin` it measures anew; at `more N` it prints,
 * when N more commits are acknowledged, the longest that it has waited for one since, ms. Ends when its standard input does.
 */
import { createInterface } from 'node:readline'
import { Bystander } from './bystander.ts'

const [folder = '', name = '', hub = ''] = process.argv.slice(2)

process.stdin.on('end', () => process.exit(1))
const bystander = await Bystander.open(folder, name, hub)
process.stdout.write('here\n')
for await (const line of createInterface(process.stdin)) {
  const [word, count] = line.split(' ')
  if (word === 'close') break
  if (word === 'begin') bystander.begin()
  else {
    await bystander.more(Number(count))
    process.stdout.write(`${bystander.silentMs}\n`)
  }
}
await bystander.close()
process.exit(0)
