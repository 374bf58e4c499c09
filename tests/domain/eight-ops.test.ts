// Idempotence in bytes: an op of one's own applied again, and its commit applied again to a document, change nothing: not
// content, not state vector, not delete set, not one byte of the document, and nothing is written to the store.
import { expect, test } from 'vitest'
import { allEntries, entryLine } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { bytesOf, openScene, ops, type Scene } from '../semantics/eight-ops.ts'

test.each(ops)('[2] %s applied 1, 2 and 5 times on its own replica is applied once', async (_, op) => {
  const { ann, annStore, hub } = await openScene()
  const untouched = bytesOf(ann)
  expect(ann.apply(op).kind).toBe('commit')
  await ann.flush()
  const once = stateOf(ann)
  const { records } = annStore
  expect(once.bytes.encoded).not.toBe(untouched.encoded)
  for (const times of [2, 3, 4, 5]) {
    expect(ann.apply(op).kind, `time ${times}`).toBe('unchanged')
    await ann.flush()
    expect(stateOf(ann)).toEqual(once)
  }
  // As one commit of five, too.
  expect(ann.apply([op, op, op, op, op]).kind).toBe('unchanged')
  expect(stateOf(ann)).toEqual(once)
  expect(annStore.records).toBe(records)
  await ann.close()
  await hub.close()
})

test.each(ops)('[2] %s five times in one commit is the commit of one', async (_, op) => {
  const [one, five] = [await openScene(), await openScene()]
  one.ann.apply(op)
  five.ann.apply([op, op, op, op, op])
  // Two worlds of the same seed: the same ids and stamps.
  expect(bytesOf(five.ann)).toEqual(bytesOf(one.ann))
  for (const { ann, hub } of [one, five]) {
    await ann.close()
    await hub.close()
  }
})

test.each(ops)(
  '[2] the commit of %s applied 1, 2 and 5 times to a document is applied once',
  async (_, op) => {
    const { ann, hub } = await openScene()
    const base = ann.encode()
    ann.apply(op)
    const [commit] = ann.outbox
    if (commit === undefined) throw new Error('the op made no commit')
    const document = yjsCrdt.open(5_000, [base])
    document.apply([commit.update])
    const once = { ...bytesOf(document), ownStateVector: document.stateVector() }
    const changes: unknown[] = []
    document.listen((changed) => changes.push(changed))
    const again = [
      [commit.update],
      [commit.update, commit.update, commit.update],
      [base, commit.update],
      [commit.update, base],
    ]
    for (const updates of again) {
      document.apply(updates)
      expect({ ...bytesOf(document), ownStateVector: document.stateVector() }).toEqual(once)
    }
    expect(changes).toEqual([])
    expect(document.pendingCount).toBe(0)
    expect(Array.from(allEntries(document), entryLine)).toEqual(
      Array.from(allEntries(ann.registers), entryLine),
    )
    await ann.close()
    await hub.close()
  },
)

function stateOf(ann: Scene['ann']) {
  return {
    bytes: bytesOf(ann),
    content: Array.from(allEntries(ann.registers), entryLine),
    conflicts: ann.conflicts(),
    commits: ann.outbox,
    status: { ...ann.status },
  }
}
