/** Histories for tests: a small domain with every kind of table, and documents that write and hear of each other. */
import fc from 'fast-check'
import { z } from 'zod'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import {
  allEntries,
  defineDomain,
  HlcClock,
  Id,
  listConflicts,
  map,
  planWrites,
  records,
  singleton,
  SyncError,
  type CrdtDocument,
  type Hlc,
  type OpOf,
} from '@rejoin/core'
import { readStateUpdate } from '../src/update-reader.ts'

export const lists = defineDomain({
  name: 'lists',
  version: 1,
  tables: {
    lists: records({ title: z.string(), color: z.string() }),
    items: map({
      key: z.tuple([Id, Id]),
      value: z.object({ text: z.string(), done: z.boolean() }),
      under: 'lists',
    }),
    weights: map({ key: z.tuple([Id, Id]), value: z.number(), merge: 'max' }),
    tags: map({ key: Id, value: z.array(z.string()), merge: 'union' }),
    settings: singleton({ owner: z.string() }),
  },
  ops: (op) => ({
    ListAdded: op(z.object({ id: Id, title: z.string() }), (t, o) => t.lists.add(o.id, { title: o.title })),
    ListColored: op(z.object({ id: Id, color: z.string() }), (t, o) => t.lists.set(o.id, { color: o.color })),
    ListRemoved: op(z.object({ id: Id }), (t, o) => t.lists.remove(o.id)),
    ItemSet: op(z.object({ list: Id, item: Id, text: z.string() }), (t, o) =>
      t.items.set([o.list, o.item], { text: o.text, done: false }),
    ),
    ItemRemoved: op(z.object({ list: Id, item: Id }), (t, o) => t.items.remove([o.list, o.item])),
    Weighed: op(z.object({ token: Id, intent: Id, weight: z.number() }), (t, o) =>
      t.weights.set([o.token, o.intent], o.weight),
    ),
    Tagged: op(z.object({ id: Id, tags: z.array(z.string()) }), (t, o) => t.tags.set(o.id, o.tags)),
    OwnerSet: op(z.object({ owner: z.string() }), (t, o) => t.settings.set({ owner: o.owner })),
  }),
})
export type ListsOp = OpOf<typeof lists>

const id = fc.constantFrom('a', 'b', 'c', '__proto__', 'é')
const text = fc.constantFrom('milk', 'bread', '', 'über', '😀')
export const someOp: fc.Arbitrary<ListsOp> = fc.oneof(
  fc.record({ type: fc.constant('ListAdded' as const), id, title: text }),
  fc.record({ type: fc.constant('ListColored' as const), id, color: text }),
  fc.record({ type: fc.constant('ListRemoved' as const), id }),
  fc.record({ type: fc.constant('ItemSet' as const), list: id, item: id, text }),
  fc.record({ type: fc.constant('ItemRemoved' as const), list: id, item: id }),
  fc.record({
    type: fc.constant('Weighed' as const),
    token: id,
    intent: id,
    weight: fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (x === 0 ? 0 : x)),
  }),
  fc.record({ type: fc.constant('Tagged' as const), id, tags: fc.array(text, { maxLength: 3 }) }),
  fc.record({ type: fc.constant('OwnerSet' as const), owner: text }),
)

export interface Commit {
  readonly hlc: Hlc
  readonly update: Uint8Array
}

/** A document with its clock and the commits it made. */
export class Writer {
  readonly document: CrdtDocument
  readonly commits: Commit[] = []
  readonly #clock: HlcClock

  constructor(index: number, clientId: number, updates: readonly Uint8Array[] = []) {
    this.document = yjsCrdt.open(clientId, updates)
    this.#clock = new HlcClock(String(index).padEnd(22, 'R'), this.document.newestHlc)
  }

  /** Rows may become orphans here, as in a recommit; null where the ops change nothing. */
  commit(ops: readonly ListsOp[], atMs: number): Commit | null {
    const hlc = this.#clock.tick(atMs)
    const update = this.document.write(planWrites(lists, ops, this.document, hlc, 'optional'), hlc)
    if (update === null) return null
    const commit = { hlc, update }
    this.commits.push(commit)
    return commit
  }

  hear(updates: readonly Uint8Array[]): void {
    this.document.apply(updates)
    if (this.document.newestHlc !== null) this.#clock.absorb(this.document.newestHlc)
  }
}

/** A step of a history: `who` commits, or hears the next commit of `from` (again, when `again`). */
export type Step =
  | { readonly kind: 'commit'; readonly who: number; readonly ops: readonly ListsOp[]; readonly ms: number }
  | { readonly kind: 'hear'; readonly who: number; readonly from: number; readonly again: boolean }

export function stepsFor(
  writers: number,
  options: { minLength?: number; maxLength: number },
): fc.Arbitrary<readonly Step[]> {
  const who = fc.nat({ max: writers - 1 })
  return fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant('commit' as const),
        who,
        ops: fc.array(someOp, { minLength: 1, maxLength: 4 }),
        ms: fc.integer({ min: 1, max: 50 }),
      }),
      fc.record({ kind: fc.constant('hear' as const), who, from: who, again: fc.boolean() }),
    ),
    // Without this, fast-check keeps arrays near ten items.
    { ...options, size: 'max' },
  )
}

/** Client ids far apart and not in the order of writers, so that both directions of Yjs's tie break are met. */
const CLIENT_IDS = [70_000, 1_024, 4_294_967_295]

export class World {
  readonly writers: readonly Writer[]
  /** Every commit in an order in which each builds only on those before it. */
  readonly log: Commit[] = []
  /** heard[who][from]: how many commits of `from` are in the document of `who`. */
  readonly #heard: number[][]

  constructor(writers: number) {
    this.writers = Array.from({ length: writers }, (_, i) => new Writer(i, CLIENT_IDS[i] ?? 2_000 + i))
    this.#heard = this.writers.map(() => this.writers.map(() => 0))
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) this.step(step)
  }

  step(step: Step): void {
    if (step.kind === 'hear') {
      this.#hear(step.who, step.from, step.again)
      return
    }
    const commit = this.writers[step.who]?.commit(step.ops, step.ms)
    if (commit !== null && commit !== undefined) this.log.push(commit)
  }

  /** Everyone hears everything. */
  settle(): void {
    for (let round = 0; round <= this.writers.length * this.log.length; round++) {
      let moved = false
      for (const who of this.writers.keys()) {
        for (const from of this.writers.keys()) moved = this.#hear(who, from, false) || moved
      }
      if (!moved) return
    }
    throw new Error('the history does not settle')
  }

  /** A commit that builds on something not heard yet is refused and changes nothing; it comes again later. */
  #hear(who: number, from: number, again: boolean): boolean {
    const writer = this.writers[who]
    const row = this.#heard[who]
    const next = row?.[from] ?? 0
    const commit = this.writers[from]?.commits[next]
    if (writer === undefined || row === undefined || who === from || commit === undefined) return false
    const before = writer.document.encode()
    try {
      writer.hear(again ? [commit.update, commit.update] : [commit.update])
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'UPDATE_UNKNOWN_ITEM') throw error
      if (!sameBytes(before, writer.document.encode())) throw new Error('a refused update left a trace')
      return false
    }
    row[from] = next + 1
    return true
  }
}

/** Everything two replicas must agree on (invariant 1). */
export function view(document: CrdtDocument) {
  const { sections, deleted } = readStateUpdate(document.encode())
  return {
    entries: [...allEntries(document)],
    conflicts: listConflicts(lists, document),
    digest: digestOf(document),
    clocks: sections.map(({ client, clock, length }) => ({ client, clock, length })),
    stateVector: [...document.stateVector()],
    deleted: deleted.map(({ client, clock, length }) => ({ client, clock, length })),
    pending: document.pendingCount,
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
