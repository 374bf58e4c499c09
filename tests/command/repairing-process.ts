// Keeps a folder from being repaired until its standard input ends, or it is killed.
import { once } from 'node:events'
import { whileRepairing } from '@rejoin/persistence-level/node'

const [folder = ''] = process.argv.slice(2)
await whileRepairing(folder, async () => {
  console.log('repairing')
  process.stdin.resume()
  await once(process.stdin, 'end')
})
