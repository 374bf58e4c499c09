/**
 * A small model of what replicas must read, built from one thing alone: who had seen what when they wrote. It shares no code
 * with the engine, keeps the whole history and is slow; it decides by definition, not by deleting.
 */
import { at, type Effect, type Json, type Merge, type Place, type Shape, type Shapes } from './effects.ts'

interface Stamp {
  readonly ms: number
  readonly count: number
  readonly author: string
}

interface Write {
  readonly place: Place
  /** Undefined: removed. */
  readonly value: Json | undefined
  readonly commit: Commit
}

interface Commit {
  readonly stamp: Stamp
  /** Everything its author knew, itself not included. */
  readonly seen: ReadonlySet<Commit>
  readonly writes: Write[]
}

interface Member {
  readonly author: string
  seen: Set<Commit>
  last: Stamp
}

export interface ModelConflict {
  readonly kind: 'concurrent' | 'orphan'
  readonly table: string
  readonly key: readonly string[]
  readonly field: string | null
  readonly choices: readonly { readonly value: Json; readonly author: string; readonly at: number }[]
  readonly parent?: { readonly table: string; readonly key: readonly string[] }
}

export class Model {
  readonly #shapes: Shapes
  readonly #members: readonly Member[]
  #hub = new Set<Commit>()

  /** @param authors the tag of each replica in its stamps. */
  constructor(shapes: Shapes, authors: readonly string[]) {
    this.#shapes = shapes
    this.#members = authors.map((author) => ({
      author,
      seen: new Set(),
      last: { ms: 0, count: 0, author },
    }))
  }

  /** One commit of these effects, in order, as its author sees things. */
  apply(who: number, effects: readonly Effect[], nowMs: number): 'commit' | 'unchanged' | 'refused' {
    const member = this.#member(who)
    const view = this.#view(member.seen)
    const pending = new Map<string, { place: Place; value: Json | undefined }>()
    for (const effect of effects) {
      if (effect.kind === 'set') pending.set(nameOf(effect.at), { place: effect.at, value: effect.value })
      else
        for (const place of this.#removed(effect, view, pending))
          pending.set(nameOf(place), { place, value: undefined })
    }
    const isThere = (place: Place): boolean => {
      const changed = pending.get(nameOf(place))
      return changed === undefined ? view.has(nameOf(place)) : changed.value !== undefined
    }
    for (const { place, value } of pending.values()) {
      if (value !== undefined && this.#missingAbove(place, isThere) !== null) return 'refused'
    }
    const changes = [...pending.values()].filter(({ place, value }) => {
      const live = view.get(nameOf(place)) ?? []
      if (value === undefined) return live.length > 0
      return live.length === 0 || !same(this.#read(live), value) || this.#isContested(live)
    })
    if (changes.length === 0) return 'unchanged'
    member.last = tick(member.last, nowMs, member.author)
    const commit: Commit = { stamp: member.last, seen: new Set(member.seen), writes: [] }
    for (const { place, value } of changes) commit.writes.push({ place, value, commit })
    member.seen.add(commit)
    return 'commit'
  }

  /** The replica and the hub tell each other everything. */
  exchange(who: number): void {
    const member = this.#member(who)
    this.#hub = new Set([...this.#hub, ...member.seen])
    for (const { stamp, writes } of this.#hub) {
      // A stamp travels with what is set; a removal alone carries none.
      const isTold = writes.some(({ value }) => value !== undefined)
      if (isTold && compareStamps(stamp, member.last) > 0) member.last = stamp
    }
    member.seen = new Set(this.#hub)
  }

  /** Visible rows of a table in key order: a map's values, or the fields that records have. */
  rows(who: number, table: string): readonly (readonly [readonly string[], Json])[] {
    const view = this.#view(this.#member(who).seen)
    const isThere = (place: Place): boolean => view.has(nameOf(place))
    const { fields } = this.#shape(table)
    const rows: [readonly string[], Json][] = []
    for (const live of view.values()) {
      const place = placeOf(live)
      if (place.table !== table || place.field !== null || this.#missingAbove(place, isThere) !== null)
        continue
      rows.push([place.row, fields === undefined ? this.#read(live) : this.#fields(view, place, fields)])
    }
    return rows.sort(([a], [b]) => compareTexts(a.join('\u0000'), b.join('\u0000')))
  }

  conflicts(who: number): readonly ModelConflict[] {
    const view = this.#view(this.#member(who).seen)
    const isThere = (place: Place): boolean => view.has(nameOf(place))
    const found: ModelConflict[] = []
    for (const live of view.values()) {
      const { table, row, field } = placeOf(live)
      const choices = live.map(({ value, commit }) => ({
        value: value ?? null,
        author: commit.stamp.author,
        at: commit.stamp.ms,
      }))
      const missing = this.#missingAbove(placeOf(live), isThere)
      if (missing !== null) {
        const parent = { table: missing.table, key: missing.row }
        found.push({ kind: 'orphan', table, key: row, field, choices, parent })
      } else if (this.#isContested(live)) found.push({ kind: 'concurrent', table, key: row, field, choices })
    }
    const sortText = ({ table, key, field }: ModelConflict): string =>
      [table, ...key, ...(field === null ? [] : [field])].join('\u0000')
    return found.sort((a, b) => compareTexts(sortText(a), sortText(b)))
  }

  /** The rows that a place needs and that are not there, nearest first, as the replica sees it. */
  missing(who: number, place: Place): readonly Place[] {
    const view = this.#view(this.#member(who).seen)
    const own = at(place.table, place.row)
    const needed = place.field === null ? [] : [own]
    for (let { under } = this.#shape(place.table); under !== undefined; under = this.#shape(under).under) {
      needed.push(at(under, place.row.slice(0, this.#shape(under).keyLength)))
    }
    return needed.filter((row) => !view.has(nameOf(row)))
  }

  hasFields(table: string): boolean {
    return this.#shape(table).fields !== undefined
  }

  /** Places whose live write stands beside a removal, where neither had seen the other. */
  survivors(who: number): readonly Place[] {
    const { seen } = this.#member(who)
    const removals = [...seen].flatMap(({ writes }) => writes.filter(({ value }) => value === undefined))
    return [...this.#view(seen)]
      .filter(([name, live]) =>
        removals.some(
          ({ place, commit }) =>
            nameOf(place) === name &&
            live.some((write) => !commit.seen.has(write.commit) && !write.commit.seen.has(commit)),
        ),
      )
      .map(([, live]) => placeOf(live))
  }

  /** Live writes by register: those that no write of the same register has seen. Newest first. */
  #view(seen: ReadonlySet<Commit>): Map<string, Write[]> {
    const all = new Map<string, Write[]>()
    for (const { writes } of seen) {
      for (const write of writes) {
        const name = nameOf(write.place)
        all.set(name, [...(all.get(name) ?? []), write])
      }
    }
    const view = new Map<string, Write[]>()
    for (const [name, writes] of all) {
      const live = writes.filter(
        ({ value, commit }) => value !== undefined && !writes.some((later) => later.commit.seen.has(commit)),
      )
      if (live.length > 0)
        view.set(
          name,
          live.sort((a, b) => compareStamps(b.commit.stamp, a.commit.stamp)),
        )
    }
    return view
  }

  #removed(
    effect: Exclude<Effect, { kind: 'set' }>,
    view: ReadonlyMap<string, readonly Write[]>,
    pending: ReadonlyMap<string, { place: Place; value: Json | undefined }>,
  ): readonly Place[] {
    if (effect.kind === 'remove') return [effect.at]
    const { table, row } = effect
    const places = [...[...view.values()].map(placeOf), ...[...pending.values()].map(({ place }) => place)]
    return places.filter(
      (place) => this.#isAtOrUnder(place.table, table) && row.every((part, i) => part === place.row[i]),
    )
  }

  #isAtOrUnder(table: string, ancestor: string): boolean {
    const { under } = this.#shape(table)
    return table === ancestor || (under !== undefined && this.#isAtOrUnder(under, ancestor))
  }

  /** The nearest row that this place needs and that is not there: its own for a field, then those above. */
  #missingAbove(place: Place, isThere: (place: Place) => boolean): Place | null {
    const own = at(place.table, place.row)
    if (place.field !== null && !isThere(own)) return own
    for (let { under } = this.#shape(place.table); under !== undefined; under = this.#shape(under).under) {
      const parent = at(under, place.row.slice(0, this.#shape(under).keyLength))
      if (!isThere(parent)) return parent
    }
    return null
  }

  #fields(
    view: ReadonlyMap<string, readonly Write[]>,
    { table, row }: Place,
    names: readonly string[],
  ): Json {
    const fields: Record<string, Json> = {}
    for (const name of names) {
      const live = view.get(nameOf(at(table, row, name)))
      if (live !== undefined) fields[name] = this.#read(live)
    }
    return fields
  }

  #read(live: readonly Write[]): Json {
    const values = live.map(({ value }) => value ?? null)
    const merge = this.#mergeOf(live)
    return merge === undefined || values.length === 1 ? (values[0] ?? null) : merge(values)
  }

  #isContested(live: readonly Write[]): boolean {
    return this.#mergeOf(live) === undefined && live.some(({ value }) => !same(value, live[0]?.value))
  }

  #mergeOf(live: readonly Write[]): Merge | undefined {
    const { table, field } = placeOf(live)
    return this.#shape(table).merge?.[field ?? '']
  }

  #shape(table: string): Shape {
    const shape = this.#shapes[table]
    if (shape === undefined) throw new Error(`the model has no table ${table}`)
    return shape
  }

  #member(who: number): Member {
    const member = this.#members[who]
    if (member === undefined) throw new Error(`the model has no replica ${who}`)
    return member
  }
}

function placeOf(live: readonly Write[]): Place {
  const [write] = live
  if (write === undefined) throw new Error('a register in a view has a live write')
  return write.place
}

function nameOf({ table, row, field }: Place): string {
  return JSON.stringify([table, row, field])
}

function tick(last: Stamp, nowMs: number, author: string): Stamp {
  return nowMs > last.ms ? { ms: nowMs, count: 0, author } : { ms: last.ms, count: last.count + 1, author }
}

function compareStamps(a: Stamp, b: Stamp): number {
  return a.ms - b.ms || a.count - b.count || compareTexts(a.author, b.author)
}

function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
