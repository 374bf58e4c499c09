/**
 * A hub in a process of its own, run with `--expose-gc`. Arguments: data folder, commits to retain. Prints its URL once it
 * serves, then for each line `measure` what it holds in memory, garbage collected. It ends when its standard input does.
 */
import { setImmediate } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import { intents, startHub, SyncError } from 'rejoin'

const [data = '', retention = '1000'] = process.argv.slice(2)

const hub = await startHub({
  data,
  domains: [intents],
  port: 0,
  retention: { commits: Number(retention) },
  // All of them are one principal here, and of one address.
  peerLimits: { connections: 10_000, signIns: 10_000 },
  log: (event) => {
    if (!('level' in event) || event.level === 'info') return
    if (event.error instanceof SyncError && event.error.code === 'NAMESPACE_UNKNOWN') return
    console.error(event.level, event.message, event.error)
  },
})
console.log(hub.url)

for await (const line of createInterface(process.stdin)) {
  if (line === 'measure') await measure()
}
await hub.close()
process.exit(0)

async function measure(): Promise<void> {
  // What is let go of in one turn is collected in the next ones.
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.()
    await setImmediate()
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  console.log(`measured ${JSON.stringify({ rss, heapUsed, external, arrayBuffers })}`)
}
