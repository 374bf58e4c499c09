/**
 * Writers in a process of their own, each on a WebSocket of its own: `socket-writers.ts URL WRITERS COMMITS ROOMS`. Commits are
 * made before anything is measured. Tells its parent how it went.
 */
import { systemClock } from 'rejoin'
import { webSocketDialer } from '@rejoin/transport'
import { prepareWriter, roomOf, type Rooms } from './prepared.ts'
import { runWriters } from './raw-writers.ts'
import { Writer } from './writer.ts'

const [url = '', writers = '', commits = '', rooms = ''] = process.argv.slice(2)

const opened = await Promise.all(
  Array.from({ length: Number(writers) }, async (_, i) => {
    const prepared = prepareWriter(roomOf(rooms as Rooms, i), i, Number(commits), systemClock.now())
    const dialer = webSocketDialer({ url, clock: systemClock })
    const channel = await dialer.dial(new AbortController().signal)
    const writer = new Writer(prepared, (message) => channel.send(message))
    const listen = async (): Promise<void> => {
      for (let message = await channel.receive(); message !== null; message = await channel.receive())
        writer.hear(message)
    }
    void listen()
    writer.greet()
    return { writer, dialer }
  }),
)
const run = await runWriters(opened.map(({ writer }) => writer))
process.send?.(run)
for (const { dialer } of opened) await dialer.close()
process.disconnect()
