/**
 * A hub in a process of its own. Arguments: data folder, port, commits to retain, milliseconds between two checkpoints (0:
 * only those that are due). Prints its URL once it serves. It ends when its standard input does.
 */
import { setInterval } from 'node:timers'
import { intents, startHub, SyncError, type RunningHub } from 'rejoin'
import { reportError } from './report-error.ts'

const [data = '', port = '0', retention = '1000', checkpointMs = '0'] = process.argv.slice(2)

process.stdin.resume().on('end', () => process.exit(1))
const hub: RunningHub = await startHub({
  data,
  domains: [intents],
  port: Number(port),
  retention: { commits: Number(retention) },
  log: (event) => {
    if (!('level' in event) || event.level === 'info') return
    // Before the first commit there is nothing to fold.
    if (event.error instanceof SyncError && event.error.code === 'NAMESPACE_UNKNOWN') return
    console.error(event.level, event.message, event.error)
  },
}).catch(reportError)
console.log(hub.url)
if (checkpointMs !== '0') {
  // Kills then also fall between the two steps of a checkpoint.
  setInterval(() => void hub.checkpoint('support').catch(() => {}), Number(checkpointMs))
}
