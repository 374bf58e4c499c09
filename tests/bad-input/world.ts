/** A domain whose ops pass anything on to its tables, and a replica of which every trace of a commit can be seen. */
import { z } from 'zod'
import { defineDomain, Id, map, records, SyncError, type Cursor } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { openReplica, type Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'

/** What a writer sets, whatever its payload says: values that no payload can carry. */
export const smuggled: { key: unknown; value: unknown } = { key: 'k', value: 'v' }

const Key = z.string()
const names = { constructor: z.json(), prototype: z.json(), hasOwnProperty: z.json(), toString: z.json() }

export const anything = defineDomain({
  name: 'anything',
  version: 1,
  tables: {
    values: map({ key: Key, value: z.json() }),
    colors: map({ key: z.enum(['red', 'blue']), value: z.string().max(3) }),
    lower: map({ key: z.string().toLowerCase(), value: z.number().min(0) }),
    pairs: map({ key: z.tuple([Key, z.enum(['en', 'de'])]), value: z.number() }),
    rows: records({ title: z.string(), ...names }),
    children: map({ key: z.tuple([Id, Key]), value: z.json(), under: 'rows' }),
  },
  ops: (op) => ({
    /** The payload's schema says what is wrong. */
    JsonSet: op(z.object({ key: Key, value: z.json() }), (t, o) => t.values.set(o.key, o.value)),
    /** The payload's schema lets anything through. */
    AnySet: op(z.object({ key: Key, value: z.unknown() }), (t, o) => t.values.set(o.key, o.value as string)),
    ValueRemoved: op(z.object({ key: Key }), (t, o) => t.values.remove(o.key)),
    ColorSet: op(z.object({ key: z.string(), value: z.string() }), (t, o) =>
      t.colors.set(o.key as 'red', o.value),
    ),
    LowerSet: op(z.object({ key: z.string(), value: z.number() }), (t, o) => t.lower.set(o.key, o.value)),
    PairSet: op(z.object({ key: z.unknown() }), (t, o) => t.pairs.set(o.key as ['', 'en'], 1)),
    RowAdded: op(z.looseObject({ id: Id }), (t, { id, ...fields }) => t.rows.add(id, fields as object)),
    RowRemoved: op(z.object({ id: Id }), (t, o) => t.rows.remove(o.id)),
    ChildSet: op(z.object({ id: Id, key: Key, value: z.json() }), (t, o) =>
      t.children.set([o.id, o.key], o.value),
    ),
    Smuggled: op(z.object({ why: z.string().optional() }), (t) =>
      t.values.set(smuggled.key as string, smuggled.value as string),
    ),
    /** Its schema fails on some input instead of refusing it. */
    Refined: op(z.object({ key: Key.refine((key) => new URL(key).host !== '') }), (t, o) =>
      t.values.set(o.key, 1),
    ),
    /** Writes and removes so often, then throws. */
    HalfWay: op(z.object({ writes: z.int(), what: z.enum(['error', 'text', 'nothing', 'code']) }), (t, o) => {
      for (let i = 0; i < o.writes; i++) t.values.set(`half ${i}`, i)
      if (o.writes > 0) t.values.remove('there')
      // What a careless writer throws.
      const thrown: Record<typeof o.what, unknown> = {
        error: new Error('half-way'),
        text: 'half-way',
        nothing: undefined,
        code: new SyncError('INPUT_INVALID', 'half-way'),
      }
      throw thrown[o.what]
    }),
  }),
})
export type Anything = Replica<typeof anything>

/** What every replica of these tests holds before something is refused. */
const before = [
  { type: 'JsonSet', key: 'there', value: 'since before' },
  { type: 'RowAdded', id: 'row', title: 'a row' },
] as const

export interface Watched {
  readonly replica: Anything
  readonly store: CountingStore
  /** Everything that a commit could leave a trace in. */
  trace(): Promise<object>
}

/** Two of the same seed give the same ids, client ids and stamps: so they tell whether one of them was touched. */
export async function openWatched(): Promise<Watched> {
  const store = new CountingStore()
  const replica = await openReplica({
    domain: anything,
    namespace: 'anything',
    store,
    crdt: yjsCrdt,
    clock: new VirtualClock(7),
    dial: null,
  })
  replica.apply([...before])
  await replica.flush()
  const heard: unknown[] = []
  replica.subscribe((changes) => heard.push(changes))
  replica.onStatus((status) => heard.push(status))
  const trace = async () => ({
    encoded: Buffer.from(replica.encode()).toString('hex'),
    outbox: replica.outbox,
    rejected: replica.rejected,
    conflicts: replica.conflicts(),
    status: { ...replica.status },
    heard: [...heard],
    calls: store.calls,
    stored: await store.peek(),
  })
  return { replica, store, trace }
}

/** A store that counts what is asked of it. */
export class CountingStore extends MapReplicaStore {
  calls = 0

  /** What it holds, uncounted. */
  peek() {
    return super.load()
  }

  override load() {
    this.calls++
    return super.load()
  }

  override record(steps: Parameters<MapReplicaStore['record']>[0]): Promise<void> {
    this.calls++
    return super.record(steps)
  }
}

export interface Refusal {
  /** Where it is no error of ours, or none at all, what happened instead. */
  readonly code: string
  readonly path: string | null
}

export function refusalOf(act: () => unknown): Refusal {
  try {
    act()
  } catch (error) {
    if (error instanceof SyncError) return { code: error.code, path: error.path }
    return { code: String(error), path: null }
  }
  return { code: 'it was not refused', path: null }
}

/** Writer and reader of one hub, for what is allowed. */
export async function openPair(): Promise<{
  writer: Anything
  reader: Anything
  meet: () => Promise<Cursor | null>
  close: () => Promise<void>
}> {
  const clock = new VirtualClock(3)
  const hub = openHub({ store: new MapHubStore(), updates: yjsCrdt.updates, domains: [anything], clock })
  const { dial } = memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) })
  const open = () =>
    openReplica({
      domain: anything,
      namespace: 'anything',
      store: new MapReplicaStore(),
      crdt: yjsCrdt,
      clock,
      dial,
      live: false,
    })
  const [writer, reader] = [await open(), await open()]
  return {
    writer,
    reader,
    meet: async () => {
      for (const replica of [writer, reader, writer]) await replica.syncOnce()
      return reader.status.cursor
    },
    close: async () => {
      for (const replica of [writer, reader]) await replica.close()
      await hub.close()
    },
  }
}
