/** A replica's folder notices that it was copied or put back from a backup, and what is none of that it does not take for it. */
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ReplicaIdentity } from '@rejoin/core'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import { openReplicaFolder } from '../src/node.ts'
import { seal } from '../src/sealed-value.ts'
import { putRaw, rawValue, withFolder } from './databases.ts'

const run = promisify(execFile)
const identity: ReplicaIdentity = {
  replica: 'replica-of-22-letters_',
  clientId: 4_000,
  domain: 'todo',
  domainVersion: 1,
}
const reidentify = { kind: 'reidentify', replica: 'another-of-22-letters_', clientId: 4_001 } as const

async function open(path: string, newPlace?: string) {
  return openReplicaFolder(path, {
    ballastBytes: 0,
    ...(newPlace === undefined ? {} : { newPlace: () => newPlace }),
  })
}

/** A folder with two namespaces. */
async function made(path: string): Promise<void> {
  const folder = await open(path)
  expect(folder.found.isCopy).toBe(false)
  for (const name of ['one', 'two']) await folder.replica(name).record([{ kind: 'create', identity }])
  await folder.close()
}

async function found(path: string) {
  const folder = await open(path)
  const stored = await folder.replica('one').load()
  await folder.close()
  return { folder: folder.found.isCopy, namespace: stored?.isCopy }
}

const aCopy = { folder: true, namespace: true }
const noCopy = { folder: false, namespace: false }

describe('is a copy', () => {
  const copies: Record<string, (from: string, to: string) => Promise<unknown>> = {
    'made by cp -a': (from, to) => run('cp', ['-a', from, to]),
    'made by this process': (from, to) => cp(from, to, { recursive: true, preserveTimestamps: true }),
    'from a tar file': async (from, to) => {
      await mkdir(to)
      await run('sh', ['-c', `tar -C '${from}' -cf - . | tar -C '${to}' -xpf -`])
    },
    'that has taken the place of the original': async (from, to) => {
      await run('cp', ['-a', from, `${to}-backup`])
      await rm(from, { recursive: true })
      await rename(`${to}-backup`, to)
    },
    'put back over what was opened since, file by file': async (from, to) => {
      await run('cp', ['-a', from, `${to}-backup`])
      await (await open(from)).close()
      await run('sh', ['-c', `cp -a '${to}-backup'/. '${from}'/`])
      await rename(from, to)
    },
    'made while it was open, put back over it file by file': async (from, to) => {
      const folder = await open(from)
      await run('cp', ['-a', from, `${to}-backup`])
      await folder.replica('one').record([{ kind: 'settle', upTo: 1 }])
      await folder.close()
      await run('sh', ['-c', `cp -a '${to}-backup'/. '${from}'/`])
      await rename(from, to)
    },
  }
  for (const [how, copy] of Object.entries(copies)) {
    test(`one ${how}`, () =>
      withFolder(async (root) => {
        const [from, to] = [join(root, 'from'), join(root, 'to')]
        await made(from)
        await copy(from, to)
        expect(await found(to)).toEqual(aCopy)
        // The folder says so once, its replicas until they have an identity of their own.
        expect(await found(to)).toEqual({ folder: false, namespace: true })
      }))
  }

  test('that does not say what it is: its file was left out, or does not read', () =>
    withFolder(async (root) => {
      const [from, to] = [join(root, 'from'), join(root, 'to')]
      await made(from)
      await run('cp', ['-a', from, to])
      await writeFile(join(to, 'rejoin.place'), '{"format":1,"na')
      expect(await found(to)).toEqual(aCopy)
      const folder = await open(to)
      await folder.replica('one').record([reidentify])
      await folder.close()
      expect(await found(to)).toEqual(noCopy)
      await rm(join(to, 'rejoin.place'))
      expect(await found(to)).toEqual({ folder: false, namespace: true })
    }))
})

describe('is none', () => {
  const changes: Record<string, (path: string) => Promise<unknown>> = {
    'as it is': async () => {},
    'with other rights and times': async (path) => {
      await chmod(join(path, 'rejoin.place'), 0o600)
      await utimes(join(path, 'rejoin.place'), 1, 1)
    },
    'of a release that kept no place': (path) => rm(join(path, 'rejoin.place')),
    'after a crash while the place was written': (path) =>
      writeFile(join(path, 'rejoin.place.tmp'), '{"form'),
  }
  for (const [how, change] of Object.entries(changes)) {
    test(`a folder ${how}`, () =>
      withFolder(async (root) => {
        const path = join(root, 'folder')
        await made(path)
        for (let n = 0; n < 3; n++) {
          await change(path)
          expect(await found(path)).toEqual(noCopy)
        }
      }))
  }

  test('a folder that was renamed, by itself or with the one it is in', () =>
    withFolder(async (root) => {
      await mkdir(join(root, 'a'))
      await made(join(root, 'a', 'folder'))
      await rename(join(root, 'a', 'folder'), join(root, 'a', 'renamed'))
      expect(await found(join(root, 'a', 'renamed'))).toEqual(noCopy)
      await rename(join(root, 'a'), join(root, 'b'))
      expect(await found(join(root, 'b', 'renamed'))).toEqual(noCopy)
    }))

  test('a hub’s folder, which keeps no place', () =>
    withFolder(async (root) => {
      const { openHubFolder } = await import('../src/node.ts')
      await (await openHubFolder(join(root, 'hub'), { ballastBytes: 0 })).close()
      await expect(readFile(join(root, 'hub', 'rejoin.place'))).rejects.toMatchObject({ code: 'ENOENT' })
    }))
})

test('[4] each namespace of a copy gets an identity of its own when it is opened, however late, and only once', () =>
  withFolder(async (root) => {
    const [from, to] = [join(root, 'from'), join(root, 'to')]
    await made(from)
    await run('cp', ['-a', from, to])
    const first = await open(to)
    await first.replica('one').record([reidentify])
    await first.replica('three').record([{ kind: 'create', identity }])
    await first.close()
    const later = await open(to)
    const isCopy = async (name: string) => (await later.replica(name).load())?.isCopy
    expect(await Promise.all(['one', 'two', 'three'].map(isCopy))).toEqual([false, true, false])
    await later.close()
    expect(await found(from)).toEqual(noCopy)
  }))

test('[4] a crash between noticing a copy and recording its first identity is harmless; a copy of a copy is one too', () =>
  withFolder(async (root) => {
    const [from, to, third] = [join(root, 'from'), join(root, 'to'), join(root, 'third')]
    await made(from)
    await run('cp', ['-a', from, to])
    // As after a crash before the place was written, and after it.
    for (const place of ['x', 'y']) {
      await run('cp', ['-a', join(from, 'rejoin.place'), join(to, 'rejoin.place')])
      const folder = await open(to, place)
      expect((await folder.replica('one').load())?.isCopy).toBe(true)
      await folder.close()
    }
    const folder = await open(to)
    await folder.replica('one').record([reidentify])
    await folder.close()
    expect(await found(to)).toEqual(noCopy)
    await run('cp', ['-a', to, third])
    expect(await found(third)).toEqual(aCopy)
    expect(await found(to)).toEqual(noCopy)
  }))

test('[13] what a copy records earlier releases refuse to read, and a later one’s so do we; what was never copied stays as it was', () =>
  withFolder(async (root) => {
    const [from, to] = [join(root, 'from'), join(root, 'to')]
    await made(from)
    await run('cp', ['-a', from, to])
    const folder = await open(to)
    await folder.replica('one').record([reidentify])
    await folder.close()
    const key = 'replica!meta!one'
    const formatIn = async (path: string): Promise<number | undefined> => {
      const database = new Level<string, string>(join(path, 'db'))
      const [format] = await rawValue(database, key)
      await database.close()
      return format
    }
    // A release refuses what is above the format that it knows: 1 for the first.
    expect([await formatIn(from), await formatIn(to)]).toEqual([1, 2])
    const database = new Level<string, string>(join(to, 'db'))
    await putRaw(database, key, seal(key, (await rawValue(database, key)).slice(9), 3))
    await database.close()
    await expect(open(to)).rejects.toMatchObject({
      code: 'FORMAT_TOO_NEW',
      message: expect.stringMatching(/replica!meta!one is written in format 3.*up to 2/) as string,
    })
  }))
