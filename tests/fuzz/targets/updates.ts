/**
 * The strict reader of updates. What it reads, Yjs reads the same; applied to an honest document it is in it whole, with nothing
 * waiting, or leaves no trace.
 */
import * as Y from 'yjs'
import { CLIENT_ID_MIN, isHlc, type CrdtDocument } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { VirtualClock } from '@rejoin/testkit'
import type { Seeded } from '../../support/seeded.ts'
import { someHistory } from '../author.ts'
import { struck } from '../strange-bytes.ts'
import { strangeUpdate, type Known } from '../strange-updates.ts'
import { attempt, hex, type Progress, type Target } from '../target.ts'

const { updates } = yjsCrdt

export const strictReader: Target = {
  name: 'updates',
  inputs: 2_500,
  growthBytesMax: 8 * 2 ** 20,
  run(random, progress) {
    const log = someHistory(random, new VirtualClock(2), 60)
    // One is missing, so that strange forms of it are news.
    const victim = new Victim(log.slice(0, -1))
    const snapshot = updates.compact(log)
    const known = updates.clocks(snapshot)
    for (let n = 0; n < strictReader.inputs; n++) {
      const honest = random.chance(0.2)
        ? snapshot
        : random.chance(0.3)
          ? random.pick(log)
          : (log.at(-1) ?? snapshot)
      runOne(random, honest, victim, known, progress)
      progress.over()
    }
    victim.destroy()
  },
}

/** An honest document, the same for each input. */
class Victim {
  readonly #base: readonly Uint8Array[]
  #doc: CrdtDocument

  constructor(base: readonly Uint8Array[]) {
    this.#base = base
    this.#doc = yjsCrdt.open(CLIENT_ID_MIN + 7, base)
  }

  /** @throws Error where a refused update leaves a trace, or an applied one something that waits. */
  hear(bytes: Uint8Array, progress: Progress): void {
    const doc = this.#doc
    const before = doc.encode()
    const applied = attempt(progress, () => (doc.apply([bytes]), true))
    if (doc.pendingCount > 0) throw new Error('something waits in the document')
    if (Buffer.compare(before, doc.encode()) === 0) return
    if (applied === null) throw new Error('a refused update left a trace')
    progress.ended('applied')
    doc.destroy()
    this.#doc = yjsCrdt.open(CLIENT_ID_MIN + 7, this.#base)
  }

  destroy(): void {
    this.#doc.destroy()
  }
}

function runOne(random: Seeded, honest: Uint8Array, victim: Victim, known: Known, progress: Progress): void {
  const bytes = random.chance(0.8) ? strangeUpdate(random, honest, known) : struck(random, honest)
  progress.begin(() => hex(bytes))
  const commit = attempt(progress, () => updates.inspect(bytes))
  const state = attempt(progress, () =>
    updates.inspectState(bytes, { runsMax: 1_000, deleteRangesMax: 1_000 }),
  )
  attempt(progress, () => updates.readStateVector(bytes))
  attempt(progress, () => updates.readPresence(bytes))
  // A commit may continue behind any item, as far as its bytes tell; that it must not, admission says.
  if (commit !== null && state === null) progress.ended('read as a commit alone')
  if (state === null) return
  progress.ended(commit === null ? 'read as a state' : 'read as a commit')
  if (!state.entries.every(({ hlc, key }) => isHlc(hlc) && key.every((part) => part.isWellFormed()))) {
    throw new Error('an ill-formed entry was read')
  }
  // Safe by now: it has read to the end.
  const { structs } = Y.decodeUpdate(bytes)
  const items = structs.reduce((sum, struct) => sum + struct.length, 0)
  if (items !== state.sections.reduce((sum, { inserted }) => sum + inserted.length, 0)) {
    throw new Error('Yjs reads other items')
  }
  if (commit !== null) victim.hear(bytes, progress)
}
