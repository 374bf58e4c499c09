// How a folder is found after a crash, and after damage to LevelDB's own files: what is told, and what is kept aside.
import { once } from 'node:events'
import { appendFile, cp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReplicaIdentity } from '@rejoin/core'
import { Level } from 'level'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { examineLogs } from '../src/folder/log-faults.ts'
import {
  examineHubFolder,
  examineReplicaFolder,
  logFaultText,
  openHubFolder,
  openReplicaFolder,
  type FolderFinding,
  type LogFault,
  type SyncPolicy,
} from '../src/node.ts'
import { withFolder } from './databases.ts'
import { firstLine, runHolder } from './holder.ts'

const disk = vi.hoisted(() => ({ hasLinks: true }))

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>()
  const link: typeof original.link = (...paths) =>
    disk.hasLinks
      ? original.link(...paths)
      : Promise.reject(new Error('EPERM: operation not permitted, link'))
  return { ...original, link }
})

afterEach(() => {
  disk.hasLinks = true
  vi.restoreAllMocks()
})

const identity: ReplicaIdentity = {
  replica: 'replica-of-22-letters_',
  clientId: 4_000,
  domain: 'todo',
  domainVersion: 1,
}
const small = { ballastBytes: 0 }
const kinds = ['hub', 'replica'] as const
const lostCuts = [1, 10, 200, 400].flatMap((bytes) => [[bytes, true] as const, [bytes, false] as const])
type Kind = (typeof kinds)[number]

/** Written to, and copied while it is open: as its process leaves it when it is killed. @returns the copy. */
async function killed(kind: Kind, root: string, sync: SyncPolicy = 'each batch'): Promise<string> {
  const [path, copy] = [join(root, 'data'), join(root, 'killed')]
  const folder = await fill(kind, path, sync)
  await cp(path, copy, { recursive: true })
  // It is written after the answer, so the last batch may not have been in it just then.
  const count = await vi.waitFor(async () => {
    const bytes = await readFile(join(path, 'rejoin.count'))
    expect(bytes.at(-1)).toBeGreaterThanOrEqual(8)
    return bytes
  })
  await writeFile(join(copy, 'rejoin.count'), count)
  await folder.close()
  return copy
}

async function closed(kind: Kind, root: string): Promise<string> {
  const path = join(root, 'data')
  await (await fill(kind, path, 'each batch')).close()
  return path
}

/** Eight batches, of which every later one says what there is. */
async function fill(kind: Kind, path: string, sync: SyncPolicy): Promise<{ close(): Promise<void> }> {
  if (kind === 'hub') {
    const folder = await openHubFolder(path, { ...small, sync })
    for (let i = 0; i < 8; i++) await folder.store.append('support', i, new Uint8Array(300).fill(i))
    return folder
  }
  const folder = await openReplicaFolder(path, { ...small, sync })
  const store = folder.replica('support')
  await store.record([{ kind: 'create', identity }])
  for (let seq = 1; seq < 8; seq++) {
    const cursor = { epoch: 1, seq, tag: '00000000000000aa' }
    await store.record([
      { kind: 'remote', updates: [new Uint8Array(300).fill(seq)], settled: [], cursor, hlc: null },
    ])
  }
  return folder
}

/** How it was found; what cannot be read of it is no matter here. */
async function found(kind: Kind, path: string): Promise<FolderFinding> {
  const folder = await (kind === 'hub' ? openHubFolder(path, small) : openReplicaFolder(path, small))
  await folder.close()
  return folder.found
}

async function examined(kind: Kind, path: string): Promise<FolderFinding> {
  const folder = await (kind === 'hub' ? examineHubFolder(path) : examineReplicaFolder(path))
  await folder.close()
  return folder.found
}

async function fileOf(path: string, part: 'MANIFEST' | '.log'): Promise<string> {
  const names = await readdir(join(path, 'db'))
  return names.findLast((name) => name.includes(part)) ?? ''
}

async function tear(path: string, part: 'MANIFEST' | '.log' = '.log'): Promise<{ file: string; at: number }> {
  const file = await fileOf(path, part)
  const bytes = await readFile(join(path, 'db', file))
  // What a crash leaves of a record: its header, which says that 300 bytes follow, and fewer than those.
  await appendFile(join(path, 'db', file), Uint8Array.of(1, 2, 3, 4, 44, 1, 1, ...bytes.subarray(7, 37)))
  return { file, at: bytes.length }
}

async function flip(path: string, place: (size: number) => number): Promise<{ file: string; bytes: Buffer }> {
  const file = await fileOf(path, '.log')
  const bytes = await readFile(join(path, 'db', file))
  const at = place(bytes.length)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(join(path, 'db', file), bytes)
  return { file, bytes }
}

async function keptIn(path: string): Promise<readonly string[]> {
  const names: string[] = await readdir(join(path, 'rejoin.damaged')).catch(() => [])
  return names.sort()
}

describe.each(kinds)('a %s’s folder', (kind) => {
  test('that was closed in order, or whose process was killed between two writes, has nothing to tell', () =>
    withFolder(async (root) => {
      expect((await found(kind, await killed(kind, root))).logFaults).toEqual([])
      expect((await found(kind, join(root, 'data'))).logFaults).toEqual([])
    }))

  test.each([
    [
      'each batch',
      'nothing',
      /^the last write to X was cut short by a crash: 37 bytes at the end of \d{6}\.log were dropped; nothing acknowledged was in them$/,
    ],
    [
      'never',
      'applied',
      /37 bytes .*; nothing acknowledged as durable was in them, what was acknowledged as applied may/,
    ],
  ] as const)(
    '[13] with a torn tail, synced %s, says so once: %s of what was acknowledged',
    (sync, mayHold, text) =>
      withFolder(async (root) => {
        const path = await killed(kind, root, sync)
        const { file, at } = await tear(path)
        const { isClosedInOrder, batchesLost, logFaults } = await found(kind, path)
        expect({ isClosedInOrder, batchesLost }).toEqual({ isClosedInOrder: false, batchesLost: 0 })
        const [fault] = logFaults
        expect(logFaults).toEqual([
          {
            kind: 'cut',
            file,
            at,
            bytes: 37,
            how: 'short',
            // What stands there is the beginning of another batch.
            batch: expect.objectContaining({ sequence: expect.any(Number) as number }) as object,
            mayHold,
            isMissed: false,
            kept: null,
          },
        ])
        expect(fault && logFaultText(fault, 'X')).toMatch(text)
        expect(await keptIn(path)).toEqual([])
        expect((await found(kind, path)).logFaults).toEqual([])
      }),
  )

  test('with a torn tail is told to whoever only looks at it', () =>
    withFolder(async (root) => {
      const path = await killed(kind, root)
      const { file, at } = await tear(path)
      expect((await examined(kind, path)).logFaults).toMatchObject([
        { kind: 'cut', file, at, mayHold: 'nothing' },
      ])
    }))

  test.each(lostCuts)(
    '[13] that lost the last %i bytes of what was acknowledged says so and keeps them, whoever is first (looks: %j)',
    (bytes, looksFirst) =>
      withFolder(async (root) => {
        const path = await killed(kind, root)
        const file = await fileOf(path, '.log')
        const log = join(path, 'db', file)
        await truncate(log, (await readFile(log)).length - bytes)
        const before = await readFile(log)
        const kept = join('rejoin.damaged', file)
        const fault = { kind: 'cut', file, how: 'short', mayHold: 'anything', isMissed: true, kept }
        const place = new RegExp(
          `; ${file} has \\d+ bytes that are no whole record, at its end \\(as it was: `,
        )
        const refused = { code: 'STORE_CORRUPT', message: expect.stringMatching(place) as string }
        const looks = async (): Promise<void> => {
          const folder = await (kind === 'hub' ? examineHubFolder(path) : examineReplicaFolder(path))
          await folder.close()
          const { logFaults } = folder.found
          expect(logFaults).toMatchObject([fault])
          expect(folder.fault).toMatchObject(refused)
          const text = logFaults.map((each) => logFaultText(each, 'X')).join()
          expect(text).toMatch(
            /^X has lost its end: \d+ bytes at the end of .* \(as it was: .*; acknowledged writes were in them, and are kept/,
          )
          expect(text).not.toContain('nothing acknowledged')
        }
        const opens = (): Promise<void> => expect(found(kind, path)).rejects.toMatchObject(refused)
        for (const step of looksFirst ? [looks, opens, looks] : [opens, looks, opens]) await step()
        expect(await readdir(join(path, 'db'))).not.toContain(file)
        expect(await keptIn(path)).toEqual([file])
        expect(await readFile(join(path, kept))).toEqual(before)
      }),
  )

  test('[13] whose opening was itself killed keeps what it held until the next one has proved it needless', () =>
    withFolder(async (root) => {
      const path = await killed(kind, root)
      const { file } = await tear(path)
      await examineLogs(path, { durability: 'durable' })
      expect(await keptIn(path)).toEqual([`${file}.opening`])
      expect((await found(kind, path)).logFaults).toMatchObject([{ mayHold: 'nothing', kept: null }])
      expect(await keptIn(path)).toEqual([])
    }))

  test('[13] that lost acknowledged writes in an opening that was killed has them still', () =>
    withFolder(async (root) => {
      const path = await killed(kind, root)
      const file = await fileOf(path, '.log')
      const log = join(path, 'db', file)
      await truncate(log, (await readFile(log)).length - 10)
      const bytes = await readFile(log)
      await examineLogs(path, { durability: 'durable' })
      // LevelDB has replayed it, and was never asked what there is.
      const database = new Level(join(path, 'db'))
      await database.open()
      await database.close()
      await expect(found(kind, path)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringContaining(`${file} has`) as string,
      })
      expect(await keptIn(path)).toEqual([file])
      expect(await readFile(join(path, 'rejoin.damaged', file))).toEqual(bytes)
    }))

  test('[13] that lost what was answered as applied keeps the file, and does not call it nothing', () =>
    withFolder(async (root) => {
      const path = await killed(kind, root, 'never')
      const file = await fileOf(path, '.log')
      const log = join(path, 'db', file)
      await truncate(log, (await readFile(log)).length - 10)
      const kept = join('rejoin.damaged', file)
      expect((await examined(kind, path)).logFaults).toMatchObject([
        { kind: 'cut', mayHold: 'applied', isMissed: false, kept },
      ])
      expect(await keptIn(path)).toEqual([file])
    }))

  test('does not say that nothing acknowledged was in it where nobody knows', () =>
    withFolder(async (root) => {
      const path = await killed(kind, root)
      const { file } = await tear(path)
      // As an earlier release wrote it, and as the power may take it.
      for (const lease of ['{"owner":"x"}\n', '', null]) {
        const copy = join(root, `lease-${lease?.length}`)
        await cp(path, copy, { recursive: true })
        if (lease === null) await rm(join(copy, 'rejoin.lease'))
        else await writeFile(join(copy, 'rejoin.lease'), lease)
        const kept = lease === null ? join('rejoin.damaged', file) : null
        expect((await found(kind, copy)).logFaults).toMatchObject([{ kind: 'cut', mayHold: 'applied', kept }])
      }
    }))

  test('[13] closed in order and cut since is refused, and the file as it was is kept', () =>
    withFolder(async (root) => {
      const path = await closed(kind, root)
      const file = await fileOf(path, '.log')
      const { length } = await readFile(join(path, 'db', file))
      // The last batch of a replica's folder is its place's, which a copy loses without harm.
      await truncate(join(path, 'db', file), length - 150)
      const bytes = await readFile(join(path, 'db', file))
      const told = new RegExp(
        `; ${file} has \\d+ bytes that are no whole record, at its end \\(as it was: .*${file}\\)$`,
      )
      await expect(found(kind, path)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        path: expect.any(String) as string,
        message: expect.stringMatching(told) as string,
      })
      expect(await readFile(join(path, 'rejoin.damaged', file))).toEqual(bytes)
      // LevelDB has taken what it could and deleted the log: it is refused all the same.
      await expect(found(kind, path)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      expect(await keptIn(path)).toEqual([file])
    }))

  test.each([true, false])(
    '[13] damaged amid its log is told, and the file is kept (links: %j)',
    (hasLinks) =>
      withFolder(async (root) => {
        const path = await closed(kind, root)
        const { file, bytes } = await flip(path, (size) => Math.floor(size / 2))
        disk.hasLinks = hasLinks
        const { logFaults } = await examined(kind, path)
        expect(logFaults).toMatchObject([{ kind: 'damaged', file, kept: join('rejoin.damaged', file) }])
        expect(logFaults[0] && logFaultText(logFaults[0], 'X')).toMatch(
          /^\d{6}\.log has \d+ bytes that are no whole record, the first at \d+ \(as it was: X\/rejoin\.damaged\/\d{6}\.log\); LevelDB passed over them/,
        )
        expect(await readFile(join(path, 'rejoin.damaged', file))).toEqual(bytes)
      }),
  )

  test.each([
    ['that was never answered', false, /and so may damage: `rejoin verify` says/],
    [
      'that was acknowledged',
      true,
      /; acknowledged writes were in them, and are kept aside: `rejoin verify` says/,
    ],
  ])('[13] whose last record, %s, does not match is not taken for a crash’s', (_, isMissed, text) =>
    withFolder(async (root) => {
      const path = await killed(kind, root)
      const file = await fileOf(path, '.log')
      if (isMissed) await flip(path, (size) => size - 1)
      else
        await appendFile(join(path, 'db', file), Uint8Array.of(1, 2, 3, 4, 30, 0, 1, ...new Uint8Array(30)))
      const { logFaults } = await examined(kind, path)
      expect(logFaults).toMatchObject([{ kind: 'cut', how: 'mismatch', mayHold: 'anything', isMissed }])
      expect(logFaults[0] && logFaultText(logFaults[0], 'X')).toMatch(text)
      expect(await keptIn(path)).toEqual([file])
    }),
  )

  test('whose list of files was being written says so', () =>
    withFolder(async (root) => {
      const path = await killed(kind, root)
      const { file, at } = await tear(path, 'MANIFEST')
      expect((await found(kind, path)).logFaults).toMatchObject([
        { kind: 'cut', file, at, batch: null, mayHold: 'nothing', kept: null },
      ])
    }))
})

test('[13] a log that ends torn before a newer one is damage: what came after it is there', () =>
  withFolder(async (root) => {
    const path = await killed('hub', root)
    const { file, at } = await tear(path)
    const newer = `${String(Number.parseInt(file, 10) + 1).padStart(6, '0')}.log`
    await writeFile(join(path, 'db', newer), '')
    const left = { durability: 'durable' } as const
    const faults = async (): Promise<readonly LogFault[]> => (await examineLogs(path, left)).faults
    expect(await faults()).toMatchObject([{ kind: 'cut', file, at }])
    await cp(join(path, 'db', file), join(path, 'db', newer))
    await truncate(join(path, 'db', newer), at)
    expect(await faults()).toMatchObject([{ kind: 'damaged', file, at, bytes: 37 }])
  }))

test('[13] of a hub a batch that is lost amid the log is refused, and says where', () =>
  withFolder(async (root) => {
    const path = await killed('hub', root)
    // The first batch made the store; later ones write all that it wrote anew.
    const { file } = await flip(path, (size) => Math.floor(size / 2))
    const folder = await examineHubFolder(path)
    await folder.close()
    const { logFaults } = folder.found
    expect(logFaults).toMatchObject([{ kind: 'damaged', file }])
    // What LevelDB dropped reaches to the end of its block, so to the end of this log.
    expect(folder.fault).toMatchObject({ code: 'STORE_CORRUPT' })
    await expect(found('hub', path)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  }))

test('a file is kept once, however often opening fails, and no more than 64 are', () =>
  withFolder(async (root) => {
    const path = await killed('hub', root)
    const { file } = await flip(path, (size) => size - 1)
    for (let i = 0; i < 3; i++) await examineLogs(path, null)
    expect(await keptIn(path)).toEqual([file])
    await rm(join(path, 'rejoin.damaged', file))
    for (let i = 0; i < 64; i++) await writeFile(join(path, 'rejoin.damaged', `${i}`), '')
    expect((await examineLogs(path, null)).faults).toMatchObject([{ kept: null }])
  }))

test('another file of the same name does not take its place', () =>
  withFolder(async (root) => {
    const path = await killed('hub', root)
    const { file } = await flip(path, (size) => size - 1)
    await examineLogs(path, null)
    const bytes = await readFile(join(path, 'db', file))
    await rm(join(path, 'db', file))
    await writeFile(join(path, 'db', file), bytes)
    expect((await examineLogs(path, null)).faults).toMatchObject([
      { kept: join('rejoin.damaged', `${file}.2`) },
    ])
    expect(await keptIn(path)).toEqual([file, `${file}.2`])
  }))

test('in a folder that another process has nothing is kept', () =>
  withFolder(async (root) => {
    const path = join(root, 'data')
    const holder = runHolder(path)
    try {
      expect(await firstLine(holder)).toBe('open')
      await flip(path, (size) => size - 1)
      await expect(found('hub', path)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
      expect(await keptIn(path)).toEqual([])
    } finally {
      holder.kill('SIGKILL')
      await once(holder, 'exit')
    }
  }))

test('[13] a log that cannot be read now is not taken for one that ends there', () =>
  withFolder(async (root) => {
    const path = await killed('hub', root)
    const files = await readdir(join(path, 'db'))
    const handle = await open(join(path, 'db', await fileOf(path, '.log')))
    const prototype = Object.getPrototypeOf(handle) as { read: () => Promise<unknown> }
    await handle.close()
    const read = vi.spyOn(prototype, 'read').mockRejectedValue(new Error('EIO: i/o error, read'))
    await expect(found('hub', path)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('EIO') as string,
    })
    read.mockRestore()
    expect(await readdir(join(path, 'db'))).toEqual(files)
    expect((await found('hub', path)).logFaults).toEqual([])
  }))
