/** Writes of a replica of the world, with what each did to its author's document, down to the byte. */
import { entryLine, type AnyDomain } from '@rejoin/core'
import type { Receipt, Replica } from '@rejoin/replica'
import type { AcceptedCommit, CommitName, EntryLine, LocalOutcome } from '@rejoin/testkit'
import { refusalOf } from './candidates.ts'
import { entriesOf } from './observation.ts'

export type Effect = Pick<AcceptedCommit, 'before' | 'sets' | 'removes'>

/**
 * @param act writes once.
 * @param repeatable whether `act` is one op, which must change nothing the second time.
 * @param accepted called at once with what was accepted.
 */
export function writeTo(
  replica: Replica<AnyDomain>,
  act: () => Receipt,
  repeatable: boolean,
  accepted: (receipt: Receipt & { kind: 'commit' }, effect: Effect) => CommitName,
): LocalOutcome {
  const before = entriesOf(replica.registers)
  const bytes = replica.encode()
  let receipt: Receipt
  try {
    receipt = act()
  } catch (error) {
    return { kind: 'refused', refusal: refusalOf(error), leftTrace: !sameBytes(bytes, replica.encode()) }
  }
  if (receipt.kind === 'unchanged') {
    // A document that says so and has changed would be a trace of nothing.
    return sameBytes(bytes, replica.encode())
      ? { kind: 'unchanged' }
      : { kind: 'refused', refusal: secretly, leftTrace: true }
  }
  const effect = difference(before, entriesOf(replica.registers))
  const name = accepted(receipt, effect)
  return {
    kind: 'commit',
    name,
    crowded: crowdedBy(replica, effect),
    again: repeatable ? again(replica, act) : null,
  }
}

const secretly = { code: 'OP_FAILED', path: '', message: 'it says that nothing changed' } as const

function difference(before: readonly EntryLine[], after: readonly EntryLine[]): Effect {
  const [old, now] = [new Set(before), new Set(after)]
  return {
    before,
    sets: after.filter((line) => !old.has(line)),
    removes: before.filter((line) => !now.has(line)),
  }
}

/** What stands beside the entries that were just set: whoever writes a register has seen all of it. */
function crowdedBy({ registers }: Replica<AnyDomain>, { sets }: Effect): readonly EntryLine[] {
  return sets.flatMap((line) => {
    const [table, key] = JSON.parse(line) as [string, readonly string[]]
    return registers
      .read(table, key)
      .map(entryLine)
      .filter((other) => other !== line)
  })
}

function again(replica: Replica<AnyDomain>, act: () => Receipt): 'unchanged' | 'changed' | 'refused' {
  const bytes = replica.encode()
  let kind: 'unchanged' | 'changed' | 'refused' = 'refused'
  try {
    kind = act().kind === 'unchanged' ? 'unchanged' : 'changed'
  } catch {
    // A writer may well say that it was there before.
  }
  return sameBytes(bytes, replica.encode()) ? kind : 'changed'
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
