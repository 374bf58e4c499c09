/**
 * A hub's or a replica's folder in a process of its own, which kills itself (SIGKILL) right before one call of LevelDB is made,
 * and says each answer that it had until then. Arguments: `hub` or `replica`, the folder, and which call, from 1; 0 for none:
 * then it says at last how many calls there were.
 */
import { openHubFolder, openReplicaFolder } from '@rejoin/persistence-level/node'
import { Level } from 'level'
import { plain } from './hub-calls.ts'
import { batches, hubCalls } from './killed-calls.ts'

const [kind = '', folder = '', at = '0'] = process.argv.slice(2)
const killAt = Number(at)
let made = 0

for (const name of ['_open', '_close', '_get', '_batch', '_clear', '_iterator', '_keys']) {
  const call = Reflect.get(Level.prototype, name) as (...args: unknown[]) => unknown
  Reflect.set(Level.prototype, name, function counted(this: unknown, ...args: unknown[]) {
    made++
    if (made === killAt) process.kill(process.pid, 'SIGKILL')
    return call.apply(this, args)
  })
}

if (kind === 'hub') {
  const opened = await openHubFolder(folder, { ballastBytes: 0 })
  for (const call of hubCalls) say(plain(await call.run(opened.store)))
  await opened.close()
} else {
  const opened = await openReplicaFolder(folder, { ballastBytes: 0 })
  const store = opened.replica('home')
  for (const batch of batches) {
    await store.record(batch)
    say('recorded')
  }
  await opened.close()
}
say(`${made} calls`)

/** At once: what is written to a pipe is not lost with the process. */
function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
