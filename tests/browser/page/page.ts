/** What runs in the page: one client with one replica, or stores alone, driven by the tests through `call`. */
import type { ReplicaStep } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openInABrowser } from '@rejoin/examples/in-a-browser'
import {
  openBrowserClient,
  SyncError,
  type BrowserClient,
  type BrowserSync,
  type Replica,
} from 'rejoin/browser'
import { noteWritten, notes, type Notes } from '../notes-domain.ts'
import { Stores } from './stores.ts'
import { watchTransactions } from './transactions.ts'

export interface OpenOptions {
  readonly name: string
  readonly hub?: string
  readonly live?: boolean
  readonly sync?: BrowserSync
}

/** Of commits made in the page, for the tests. */
interface Written {
  readonly saved: readonly string[]
}

const transactions = watchTransactions()
const stores = new Stores()
let client: BrowserClient | null = null
let replica: Replica<Notes> | null = null

const page = {
  open: async ({ name, hub, live = false, sync }: OpenOptions) => {
    client = await openBrowserClient({
      name,
      ...(hub === undefined ? {} : { hub }),
      ...(sync === undefined ? {} : { sync }),
    })
    replica = await client.open(notes, 'home', { live })
    return { id: replica.id, persistence: await client.persistence, namespaces: await client.namespaces() }
  },
  /** A commit each, one after the other: what `saved` says, a level or a code. */
  write: async (ids: readonly string[], text?: string): Promise<Written> => {
    const saved: string[] = []
    for (const id of ids) saved.push(await levelOf(opened().apply(noteWritten(id, text ?? id)).saved))
    return { saved }
  },
  /** Says each note that is saved on the console, until the page goes. */
  writeOn: (prefix: string) => {
    const next = async (n: number): Promise<void> => {
      await opened().apply(noteWritten(`${prefix}${n}`)).saved
      console.log(`saved ${prefix}${n}`)
      await next(n + 1)
    }
    void next(1)
  },
  ids: () => Array.from(opened().tables.notes.entries(), ([id]) => String(id)),
  /** Of the content: equal on replicas that agree. */
  digest: () => yjsCrdt.updates.digest([opened().encode()]),
  status: () => ({ ...opened().status }),
  outbox: () => opened().outbox.map(({ id: { counter }, stage }) => ({ counter, stage })),
  syncOnce: () => opened().syncOnce(),
  flush: () => opened().flush(),
  close: async () => {
    await client?.close()
  },
  /** The README's sample. */
  example: async (hub: string) => {
    const told: string[] = []
    const home = await openInABrowser(hub, (message) => told.push(message))
    const acked = await home.apply({ type: 'ListAdded', id: 'shop', title: 'Groceries' }).acked
    return { acked, told }
  },
  /** Write transactions since the last call, by what they asked for. */
  transactions: () => transactions.take(),
  failNextWrite: () => transactions.failNext(),
  openStore: (database: string, namespace: string) => stores.open(database, namespace),
  loadStore: (store: number) => stores.load(store),
  recordInStore: (store: number, steps: readonly ReplicaStep[]) => stores.record(store, steps),
  closeStore: (store: number) => stores.close(store),
  closeDatabase: (database: string) => stores.closeDatabase(database),
}

export type Page = typeof page

/** How the tests call it: an error crosses over as its code. */
async function call(name: keyof Page, args: readonly unknown[]): Promise<unknown> {
  try {
    return { value: await (page[name] as (...given: readonly unknown[]) => unknown)(...args) }
  } catch (error) {
    if (error instanceof SyncError) return { code: error.code, message: error.message }
    throw error
  }
}

Object.assign(globalThis, { call })

function opened(): Replica<Notes> {
  if (replica === null) throw new Error('open a replica first')
  return replica
}

async function levelOf(saved: Promise<string>): Promise<string> {
  try {
    return await saved
  } catch (error) {
    return error instanceof SyncError ? error.code : String(error)
  }
}
