/**
 * A process of its own: opens the hub folder named on the command line, says so, and keeps it until it is killed. With
 * `append` it goes on appending, one room after the other, and names each append once it is acknowledged.
 */
import { SyncError, type HubStore } from '@rejoin/core'
import { openHubFolder } from '../src/node.ts'

const [path, mode] = process.argv.slice(2)
try {
  const { store } = await openHubFolder(path ?? '')
  await store.append('held', 0, new Uint8Array([1]))
  console.log('open')
  process.stdin.resume()
  if (mode === 'append')
    await Promise.all(Array.from({ length: 8 }, (_, room) => appendOn(store, `room-${room}`)))
} catch (error) {
  console.log(error instanceof SyncError ? `${error.code} ${error.message}` : String(error))
}

async function appendOn(store: HubStore, room: string): Promise<void> {
  for (let head = 0; ; head++) {
    await store.append(room, head, new Uint8Array(300).fill(head))
    console.log(`${room} ${head + 1}`)
  }
}
