/**
 * Deletes items by id in a document that nobody else looks into. What Yjs would cut off a live item, and then join to the
 * deleted item beside it (the grave), goes there at once, and two cuts of an item are made as one. Yjs moves its list of a
 * client's items for each cut and each join: among 100,000 keys that is nearly all that an overwrite costs. Items, update and
 * encoded document come out the same as with `deleteRun`.
 */
import * as Y from 'yjs'
import { assert, type ItemRange } from '@rejoin/core'
import type { ItemId } from './update-reader.ts'

/** Hears of elements that no item of the transaction shows any more, with the id of the first. */
export type BuriedListener = (elements: readonly unknown[], first: ItemId) => void

/** An item whose content Yjs has already dropped. */
type Grave = Y.Item & { content: Y.ContentDeleted }

/** `run` holds live items. */
export function buryRun(transaction: Y.Transaction, run: ItemRange, onBuried: BuriedListener): void {
  const structs = transaction.doc.store.clients.get(run.client) ?? []
  const end = run.clock + run.length
  for (let clock = run.clock; clock < end;) {
    const index = Y.findIndexSS(structs, clock)
    const item = structs[index]
    assert(item instanceof Y.Item && !item.deleted, 'what is deleted was live')
    const from = clock - item.id.clock
    const to = Math.min(end - item.id.clock, item.length)
    const before = structs[index - 1]
    const after = structs[index + 1]
    if (from === 0 && to === item.length) {
      item.delete(transaction)
    } else if (from === 0 && isGrave(before) && isJoinable(before, item)) {
      onBuried(buryHead(transaction, before, item, to), { client: run.client, clock })
    } else if (to === item.length && isGrave(after) && isJoinable(item, after)) {
      onBuried(buryTail(transaction, item, after, from), { client: run.client, clock })
    } else {
      cutOut(structs, index, from, to).delete(transaction)
    }
    clock += to - from
  }
}

function isGrave(struct: Y.AbstractStruct | undefined): struct is Grave {
  return struct instanceof Y.Item && struct.deleted && struct.content instanceof Y.ContentDeleted
}

/** Whether Yjs would join the two if both were deleted. */
function isJoinable(left: Y.Item, right: Y.Item): boolean {
  return (
    left.right === right &&
    Y.compareIDs(right.origin, left.lastId) &&
    Y.compareIDs(left.rightOrigin, right.rightOrigin)
  )
}

/** The first `length` elements of `item` go to the grave before it. */
function buryHead(
  transaction: Y.Transaction,
  grave: Grave,
  item: Y.Item,
  length: number,
): readonly unknown[] {
  const { client, clock } = item.id
  const rest = item.content.splice(length)
  const buried = item.content.getContent()
  item.id = Y.createID(client, clock + length)
  item.origin = Y.createID(client, clock + length - 1)
  item.content = rest
  item.length -= length
  widen(grave, length)
  noteDeleted(transaction, item, { client, clock, length })
  return buried
}

/** The elements of `item` from `at` on go to the grave after it. */
function buryTail(transaction: Y.Transaction, item: Y.Item, grave: Grave, at: number): readonly unknown[] {
  const { client } = item.id
  const clock = item.id.clock + at
  const length = item.length - at
  const buried = item.content.splice(at).getContent()
  item.length = at
  grave.id = Y.createID(client, clock)
  grave.origin = Y.createID(client, clock - 1)
  widen(grave, length)
  noteDeleted(transaction, item, { client, clock, length })
  return buried
}

function widen(grave: Grave, length: number): void {
  grave.length += length
  grave.content.len += length
}

/** What Yjs keeps besides of a deletion. */
function noteDeleted(
  { deleteSet }: Y.Transaction,
  { parent }: Y.Item,
  { client, clock, length }: ItemRange,
): void {
  const ranges = deleteSet.clients.get(client)
  if (ranges === undefined) deleteSet.clients.set(client, [{ clock, len: length }])
  else ranges.push({ clock, len: length })
  assert(parent instanceof Y.AbstractType, 'an item in a document knows its parent')
  parent._length -= length
}

/** Cuts an item before `from` and before `to`, and returns what lies between. */
function cutOut(structs: (Y.GC | Y.Item)[], index: number, from: number, to: number): Y.Item {
  const item = structs[index]
  assert(item instanceof Y.Item, 'an item is cut')
  const rest = to < item.length ? [cutOff(item, to)] : []
  const middle = from > 0 ? cutOff(item, from) : item
  structs.splice(index + 1, 0, ...(middle === item ? rest : [middle, ...rest]))
  return middle
}

/** As Yjs cuts a live item, but for its note to join the pieces again: it looks around whatever is deleted anyway. */
function cutOff(item: Y.Item, at: number): Y.Item {
  const { client, clock } = item.id
  const { right, rightOrigin, parent } = item
  const [id, origin] = [Y.createID(client, clock + at), Y.createID(client, clock + at - 1)]
  const rest = new Y.Item(id, item, origin, right, rightOrigin, parent, null, item.content.splice(at))
  item.right = rest
  item.length = at
  if (right !== null) right.left = rest
  return rest
}
