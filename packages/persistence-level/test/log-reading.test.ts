// Real logs of LevelDB, cut and damaged: what our reader says of them, and what LevelDB itself keeps of them.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { Level } from 'level'
import { expect, test } from 'vitest'
import { liveFiles } from '../src/log/live-files.ts'
import { readLog } from '../src/log/log-file.ts'
import { BLOCK_BYTES, LogReading, type LogReport } from '../src/log/log-reading.ts'
import { crc32c } from '../src/log/crc32c.ts'
import { withFolder } from './databases.ts'

test('the checksum is the one that everybody computes', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
})

test.each([
  ['small batches in one block', [10, 200, 0, 33]],
  ['batches over several blocks', [20, 40_000, 7, 70_000]],
  // 36 bytes of a record are not its value.
  ['a block that ends with a record', [32_732, 90]],
  ['a block with less room than a header takes, which is filled up', [32_730, 5]],
  ['a block with room for a header alone', [32_725, 40_000]],
])('%s, cut at every place of the last one: whole or cut, and LevelDB keeps what is whole', (_, sizes) =>
  withFolder(async (root) => {
    const { bytes, begins } = await logOf(root, sizes)
    const last = begins.at(-1) ?? 0
    const places = placesIn(last, bytes.length)
    for (const length of places) {
      const report = reportOf(bytes.subarray(0, length))
      const isWhole =
        [last, bytes.length].includes(length) || (hasNoRoom(last) && length === endOfBlock(last))
      expect(report.end.kind, `cut to ${length} of ${bytes.length}`).toBe(isWhole ? 'whole' : 'cut')
      expect(report.records).toBe(length === bytes.length ? sizes.length : sizes.length - 1)
      if (report.end.kind !== 'cut') continue
      const at = length > endOfBlock(last) && hasNoRoom(last) ? endOfBlock(last) : last
      expect(report.end).toMatchObject({ at, bytes: length - at, how: 'short' })
    }
    for (const length of [last, last + 3, last + 8, bytes.length - 1, bytes.length]) {
      const { records } = reportOf(bytes.subarray(0, length))
      expect(await keptByLevel(root, bytes.subarray(0, length))).toEqual(batchesUpTo(records))
    }
  }),
)

test('of a batch that is cut its number and its writes are told, where its beginning is there', () =>
  withFolder(async (root) => {
    const { bytes, begins } = await logOf(root, [10, 40_000])
    const last = begins.at(-1) ?? 0
    const endAt = (length: number) => reportOf(bytes.subarray(0, length)).end
    expect(endAt(last + 18)).toMatchObject({ kind: 'cut', batch: null })
    // The first batch had two writes, and LevelDB counts from 1.
    for (const length of [last + 19, last + 100, bytes.length - 1])
      expect(endAt(length)).toMatchObject({ kind: 'cut', batch: { sequence: 3, count: 2 } })
  }))

test('any log cut anywhere is whole or cut, and LevelDB keeps exactly the batches that are whole', () =>
  withFolder(async (root) => {
    const cases = fc.tuple(
      fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      fc.nat(),
    )
    await fc.assert(
      fc.asyncProperty(cases, async ([sizes, place]) => {
        const { bytes } = await logOf(root, sizes)
        const cut = bytes.subarray(0, place % (bytes.length + 1))
        const { end, records } = reportOf(cut)
        expect(['whole', 'cut']).toContain(end.kind)
        expect(await keptByLevel(root, cut)).toEqual(batchesUpTo(records))
      }),
      { numRuns: 40 },
    )
  }))

test('a bit flipped anywhere is told, and LevelDB keeps as many batches as the report says', () =>
  withFolder(async (root) => {
    const sizes = [40, 9_000, 25_000, 10, 50_000, 80]
    const { bytes, begins } = await logOf(root, sizes)
    const last = begins.at(-1) ?? 0
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (place, bit) => {
        const flipped = Uint8Array.from(bytes)
        flipped[place] = (flipped[place] ?? 0) ^ (1 << bit)
        const { end, records } = reportOf(flipped)
        expect(end.kind, `bit ${bit} of byte ${place}`).toBe(place >= last ? 'cut' : 'damaged')
        // Only what a record says of its length can look like a crash, and that is seen through.
        expect(end.kind === 'cut' ? end.how : null).toBe(place >= last ? 'mismatch' : null)
        expect(records).toBeLessThan(sizes.length)
        expect((await keptByLevel(root, flipped)).length).toBe(records)
      }),
      { numRuns: 100, examples: lengthsOf([0, last]) },
    )
  }))

test('zeros at the end are a cut tail, zeros in the middle are damage that LevelDB keeps silent about', () =>
  withFolder(async (root) => {
    const { bytes, begins } = await logOf(root, [40, 9_000, 100, 60_000, 10])
    const [, second = 0, third = 0] = begins
    const ended = new Uint8Array(bytes.length)
    ended.set(bytes.subarray(0, third))
    expect(reportOf(ended)).toMatchObject({
      records: 2,
      end: { kind: 'cut', at: third, bytes: bytes.length - third, how: 'zeros', batch: null },
    })
    const holed = Uint8Array.from(bytes).fill(0, second, BLOCK_BYTES)
    const { records, end } = reportOf(holed)
    expect(end).toMatchObject({ kind: 'damaged', at: second })
    expect((await keptByLevel(root, holed)).length).toBe(records)
    // Half a record, then zeros, as a page that never reached the disk.
    const torn = Uint8Array.from(bytes).fill(0, third + 50)
    expect(reportOf(torn).end).toMatchObject({ kind: 'cut', at: third, how: 'mismatch' })
  }))

test('files that LevelDB does not replay are not read', () =>
  withFolder(async (root) => {
    const path = join(root, 'db')
    const database = new Level<string, string>(path)
    await database.open()
    await database.put('a', 'b')
    const live = await liveFiles(path)
    const [log = ''] = live?.logs ?? []
    expect(live?.logs).toHaveLength(1)
    expect(live?.manifest.report.end).toEqual({ kind: 'whole' })
    const number = Number.parseInt(log, 10)
    for (const other of [number - 1, number + 1]) await writeFile(join(path, `${name(other)}.log`), 'x')
    await writeFile(join(path, `${name(number)}.log.txt`), 'x')
    expect((await liveFiles(path))?.logs).toEqual([log, `${name(number + 1)}.log`])
    await database.close()
    await writeFile(join(path, 'CURRENT'), 'MANIFEST-000099\n')
    expect(await liveFiles(path)).toBeNull()
    await writeFile(join(path, 'CURRENT'), 'MANIFEST-0000')
    expect(await liveFiles(path)).toBeNull()
  }))

test('a log is read from its file as from memory, however long it is', () =>
  withFolder(async (root) => {
    const { bytes } = await logOf(root, [200_000, 10, 61_000, 262_000])
    for (const length of [0, 5, 8 * BLOCK_BYTES - 1, 8 * BLOCK_BYTES, 8 * BLOCK_BYTES + 1, bytes.length]) {
      const path = join(root, 'copy.log')
      await writeFile(path, bytes.subarray(0, length))
      expect(await readLog(path, 'batch')).toEqual(reportOf(bytes.subarray(0, length)))
    }
  }))

interface MadeLog {
  readonly bytes: Uint8Array
  /** Where each record begins. */
  readonly begins: readonly number[]
}

let made = 0

/** Of a database that is open still: batch n puts `n` and deletes something, with a value of so many bytes. */
async function logOf(root: string, sizes: readonly number[]): Promise<MadeLog> {
  const path = join(root, `made-${made++}`)
  const database = new Level<string, string>(path)
  await database.open()
  const begins: number[] = []
  const log = async (): Promise<Uint8Array> => {
    const [file = ''] = (await readdir(path)).filter((each) => each.endsWith('.log'))
    return await readFile(join(path, file))
  }
  for (const [n, size] of sizes.entries()) {
    begins.push((await log()).length)
    await database.batch([
      { type: 'put', key: `${n}`, value: textOf(n, size) },
      { type: 'del', key: `nothing ${n}` },
    ])
  }
  const bytes = await log()
  await database.close()
  return { bytes, begins }
}

/** The numbers of the batches that LevelDB has after it was opened with this log. */
async function keptByLevel(root: string, log: Uint8Array): Promise<readonly number[]> {
  const [empty, path] = [join(root, 'empty'), join(root, `opened-${made++}`)]
  await mkdir(empty, { recursive: true })
  if ((await readdir(empty)).length === 0) {
    const database = new Level<string, string>(empty)
    await database.open()
    await database.close()
  }
  await cp(empty, path, { recursive: true })
  const [file = ''] = (await readdir(path)).filter((each) => each.endsWith('.log'))
  await writeFile(join(path, file), log)
  const database = new Level<string, string>(path, { createIfMissing: false })
  await database.open()
  const keys = await database.keys().all()
  await database.close()
  return keys.map(Number).sort((a, b) => a - b)
}

function reportOf(log: Uint8Array): LogReport {
  const reading = new LogReading('batch')
  for (let at = 0; at < log.length; at += BLOCK_BYTES) reading.take(log.subarray(at, at + BLOCK_BYTES))
  return reading.end()
}

function batchesUpTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => n)
}

/** Every place of what is short; of what is long those around its ends and around blocks, and some between. */
function placesIn(from: number, to: number): readonly number[] {
  const all = Array.from({ length: to - from + 1 }, (_, i) => from + i)
  if (all.length <= 3_000) return all
  return all.filter(
    (at) => at - from < 60 || to - at < 60 || Math.abs(((at + 50) % BLOCK_BYTES) - 50) < 50 || at % 97 === 0,
  )
}

function endOfBlock(at: number): number {
  return Math.ceil(at / BLOCK_BYTES) * BLOCK_BYTES
}

/** The block is filled up then, and the record begins in the next: a file that ends with the filling does not tell. */
function hasNoRoom(at: number): boolean {
  return endOfBlock(at) - at < 7
}

/** Each bit of the two bytes in which each record says how long it is. */
function lengthsOf(begins: readonly number[]): [number, number][] {
  return begins.flatMap((at) =>
    Array.from({ length: 16 }, (_, i): [number, number] => [at + 4 + Math.floor(i / 8), i % 8]),
  )
}

/** Of any characters, the same for the same number. */
function textOf(n: number, size: number): string {
  return Array.from({ length: size }, (_, i) => String.fromCharCode(33 + ((i * 31 + n * 7) % 90))).join('')
}

function name(number: number): string {
  return String(number).padStart(6, '0')
}
