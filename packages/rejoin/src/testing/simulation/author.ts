/** Steps by which a replica of a simulated world writes, or changes its mind. */
import { applying, codeOf, nth, write, type Written } from './authoring.ts'
import type { ReplicaProcess } from './replica-process.ts'
import type { SimulatedStep } from './step.ts'
import type { WorldParts } from './world-parts.ts'

/** Of the writes, those that are looked at to the byte. */
const EXAMINED_PERCENT = 5

export function apply(
  parts: WorldParts,
  { who, ops, instead }: SimulatedStep & { kind: 'apply' },
): Promise<string> {
  return withReplica(parts, who, (process) => {
    const first = note(
      parts,
      process,
      write(process, applying(process, ops), parts.chance.isIn(EXAMINED_PERCENT)),
    )
    if (first.kind !== 'refused' || instead === undefined) return textOf(first)
    return `${textOf(first)}, ${textOf(note(parts, process, write(process, applying(process, instead), false)))}`
  })
}

export function writing(
  parts: WorldParts,
  who: number,
  acting: (process: ReplicaProcess) => Parameters<typeof write>[1] | null,
): Promise<string> {
  return withReplica(parts, who, (process) => {
    const act = acting(process)
    return act === null ? 'there was none' : textOf(note(parts, process, write(process, act, false)))
  })
}

function note(parts: WorldParts, process: ReplicaProcess, written: Written): Written {
  parts.sentry.written(process, written)
  return written
}

export function withdraw(parts: WorldParts, who: number, pick: number): Promise<string> {
  return withReplica(parts, who, async (process) => {
    const { replica } = process
    const commit = nth(replica.outbox, pick)
    if (commit === undefined) return 'there was none'
    const { counter } = commit.id
    const name = process.fullName(counter)
    const ended = parts.sentry.withdrawing(process, name)
    const end = (code: string): string => {
      // Where the disk fails it is withdrawn all the same, and saved later.
      const isGone = replica.outbox.every(({ id }) => id.counter !== counter)
      ended(isGone && code !== 'INPUT_INVALID')
      return code
    }
    const told = replica.withdraw(counter).then(
      () => end(`${counter} is withdrawn`),
      (error: unknown) => end(codeOf(error)),
    )
    await parts.pace.turn()
    return Promise.race([told, Promise.resolve('being withdrawn')])
  })
}

export function discard(parts: WorldParts, who: number, pick: number): Promise<string> {
  return withReplica(parts, who, (process) => {
    const rejected = nth(process.replica.rejected, pick)
    if (rejected === undefined) return 'there was none'
    parts.noteRejected(process)
    process.replica.discard(rejected.commit.id.counter).catch(() => {})
    return ''
  })
}

/** Started first where it does not run. */
export async function withReplica(
  parts: WorldParts,
  who: number,
  act: (process: ReplicaProcess) => string | Promise<string>,
): Promise<string> {
  const process = parts.replicaAt(who)
  if (!process.isOpen) await parts.start(process)
  return process.isOpen ? act(process) : `does not open: ${process.trouble?.code ?? 'it waits for its disk'}`
}

function textOf(written: Written): string {
  if (written.kind === 'commit') return `commit ${written.receipt.id.counter}`
  return written.kind === 'refused' ? written.code : written.kind
}
