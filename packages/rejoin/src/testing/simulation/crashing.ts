/** Processes of a simulated world that end, and what their folders are then. */
import type { HubProcess } from './hub-process.ts'
import type { ReplicaProcess } from './replica-process.ts'
import { PATIENCE_MS, type WorldParts } from './world-parts.ts'

export async function killReplica(
  parts: WorldParts,
  process: ReplicaProcess,
  power: boolean,
  stays: boolean,
): Promise<string> {
  if (!process.isOpen) return 'it does not run'
  parts.history.tell(process, 'info', 'kill', {})
  parts.network.killReplica(process.index, !power)
  const had = process.hasLost
  process.kill(power)
  const fault = power ? (process.hasLost && !had ? 'power cut that lost something' : 'power cut') : 'kill'
  parts.struck(`replica ${fault}`)
  if (!stays) await parts.start(process)
  return process.trouble?.code ?? ''
}

export async function killHub(
  parts: WorldParts,
  hub: HubProcess,
  power: boolean,
  stays: boolean,
): Promise<string> {
  if (!hub.isOpen) return 'it does not run'
  parts.network.killHub(hub.index, !power)
  hub.kill()
  if (power && parts.hubs.length === 1 && parts.place.cutPower()) {
    lose(parts)
    await parts.pace.until(hub.tellLoss(), PATIENCE_MS)
    parts.struck('hub power cut that lost something')
  } else parts.struck(power ? 'hub power cut' : 'hub kill')
  if (!stays) hub.start()
  return ''
}

export async function closeReplica(parts: WorldParts, process: ReplicaProcess): Promise<string> {
  if (!process.isOpen) return 'it does not run'
  const { index } = process
  const closed = await parts.waitFor(process.replica.close().then(() => ''))
  // Whoever did not come to an end by then is ended.
  parts.network.killReplica(index, true)
  process.kill(false)
  await parts.start(process)
  return parts.struck('replica closed', closed)
}

export async function closeHub(parts: WorldParts, hub: HubProcess): Promise<string> {
  if (!hub.isOpen) return 'it does not run'
  const closed = await parts.waitFor(hub.hub.close().then(() => ''))
  parts.network.killHub(hub.index, true)
  hub.kill()
  hub.start()
  return parts.struck('hub closed', closed)
}

export async function restore(parts: WorldParts, marked: boolean): Promise<string> {
  if (parts.backup === null) return 'there is no backup'
  for (const hub of parts.hubs) {
    parts.network.killHub(hub.index, true)
    hub.kill()
  }
  parts.place.restore(parts.backup)
  lose(parts)
  const [first] = parts.hubs
  if (marked && first !== undefined) await parts.pace.until(first.tellLoss(), PATIENCE_MS)
  for (const hub of parts.hubs) hub.start()
  return parts.struck(marked ? 'hub restored by the book' : 'hub restored without a word')
}

/** What the store has no more is lost. */
function lose({ books, place, history }: WorldParts): void {
  for (const book of books.values()) {
    const head = place.store.headOf(book.namespace)
    if (head === book.head) continue
    book.lose(head)
    history.lost(book.namespace, head)
  }
}

export async function putBack(parts: WorldParts, process: ReplicaProcess): Promise<string> {
  if (process.backup === null) return 'there is no backup'
  parts.network.killReplica(process.index, true)
  process.kill(false)
  process.place.putBack(process.backup)
  process.hasLost = true
  await parts.start(process)
  return parts.struck('replica restored')
}
