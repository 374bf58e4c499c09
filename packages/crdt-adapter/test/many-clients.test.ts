// Documents that very many clients have written to (`HAZARDS.md` C7): Yjs copies its state vector in each transaction, so what
// is read together is applied in one.
import {
  createEncoder,
  toUint8Array,
  writeAny,
  writeUint8,
  writeVarString,
  writeVarUint,
} from 'lib0/encoding'
import { expect, test } from 'vitest'
import { HlcClock } from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'

const CLIENTS = 10_000
const FIRST = 5_000

test('C7 10,000 updates of 10,000 clients are applied in one transaction, and each is in the document', () => {
  const hlc = new HlcClock('A'.repeat(22), null)
  const updates = Array.from({ length: CLIENTS }, (_, i) => updateOf(i, hlc.tick(1_700_000_000_000)))
  let heard = 0
  const document = yjsCrdt.open(1_024, [])
  const stop = document.listen(() => heard++)
  document.apply(updates)
  stop()
  expect(heard).toBe(1)
  expect(document.read('notes', ['n9999'])[0]?.value).toBe(9_999)
  expect(yjsCrdt.updates.clocks(document.encode()).size).toBe(CLIENTS)
  // What a hub makes of them when it folds its log is the same.
  expect(yjsCrdt.updates.digest([yjsCrdt.updates.compact(updates)])).toBe(digestOf(document))
})

/** Of a client that writes once, behind what the one before it wrote. */
function updateOf(i: number, hlc: string): Uint8Array {
  const out = createEncoder()
  for (const number of [1, 1, FIRST + i, 0]) writeVarUint(out, number)
  writeUint8(out, i === 0 ? 0x08 : 0x88)
  if (i === 0) {
    writeVarUint(out, 1)
    writeVarString(out, 'entries')
  } else {
    writeVarUint(out, FIRST + i - 1)
    writeVarUint(out, 0)
  }
  writeVarUint(out, 1)
  writeAny(out, ['notes', `n${i}`, i, hlc])
  writeVarUint(out, 0)
  return toUint8Array(out)
}
