/** What a hub writes to LevelDB, batch by batch, and the same bytes written once more by LevelDB alone. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { loggedCommits } from '@rejoin/hub'

export interface WrittenBatch {
  readonly puts: readonly Put[]
}

export interface Put {
  readonly type: 'put'
  readonly key: string
  readonly value: Uint8Array
}

interface Operation {
  readonly type: string
  readonly key: string
  readonly value?: Uint8Array
}

/** Notes what every database of this process writes while `run` does. */
export async function noteBatches<T>(
  run: () => Promise<T>,
): Promise<{ readonly result: T; readonly batches: readonly WrittenBatch[] }> {
  // As they are: what is made of them is made when nothing is measured.
  const noted: (readonly Operation[])[] = []
  // The private half of an abstract-level database, which its types leave out.
  const owner: object = Object.hasOwn(Level.prototype, '_batch')
    ? Level.prototype
    : (Object.getPrototypeOf(Level.prototype) as object)
  const batch = Reflect.get(owner, '_batch') as (...args: unknown[]) => Promise<void>
  Reflect.set(owner, '_batch', function note(this: unknown, operations: Operation[], options: unknown) {
    noted.push(operations)
    return batch.call(this, operations, options)
  })
  try {
    const result = await run()
    return { result, batches: noted.map((operations) => ({ puts: operations.flatMap(putOf) })) }
  } finally {
    Reflect.set(owner, '_batch', batch)
  }
}

function putOf({ key, value }: Operation): readonly Put[] {
  return value === undefined ? [] : [{ type: 'put', key, value }]
}

/** Only what a caller asked to keep: log records, without the states beside them. */
export function recordsOf(batches: readonly WrittenBatch[]): readonly WrittenBatch[] {
  return batches
    .map(({ puts }) => ({ puts: puts.filter(({ key }) => key.startsWith('hub!record!')) }))
    .filter(({ puts }) => puts.length > 0)
}

/** The same bytes in the same batches, with a key for each commit of a record. */
export function commitsOf(records: readonly WrittenBatch[]): readonly WrittenBatch[] {
  return records.map(({ puts }) => ({ puts: puts.flatMap(cut) }))
}

function cut({ key, value }: Put): readonly Put[] {
  const { length } = loggedCommits(value.subarray(bodyAt(value)), key)
  const bytes = Math.ceil(value.length / length)
  return Array.from({ length }, (_, i) => {
    const part = value.slice(i * bytes, (i + 1) * bytes)
    return { type: 'put', key: `${key}!${i.toString(16).padStart(4, '0')}`, value: part }
  })
}

/** Behind the seal and the seq of the record before it. */
function bodyAt(value: Uint8Array): number {
  let at = SEAL_BYTES
  while ((value[at] ?? 0) > 0x7f) at++
  return at + 1
}

const SEAL_BYTES = 9

/** `as documented`: `batch([…])`. `handed over`: what that comes to inside, without a copy of each operation, as our store does it. */
export type Call = 'as documented' | 'handed over'

/** Milliseconds that LevelDB alone takes for these batches, synced, one after the other, in a new folder. */
export async function writeAlone(
  batches: readonly WrittenBatch[],
  call: Call = 'as documented',
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-bench-'))
  const database = new Level<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await database.open()
  const inside = database as unknown as { _batch(puts: readonly Put[], options: object): Promise<void> }
  try {
    const startedAt = performance.now()
    for (const { puts } of batches) {
      if (call === 'as documented') await database.batch([...puts], { sync: true })
      else await inside._batch(puts, { sync: true })
    }
    return performance.now() - startedAt
  } finally {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
}
