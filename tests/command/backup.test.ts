// Backups of a hub, running or not, and hubs restored from them: nothing that was acknowledged is missing once replicas have synced.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { cp, mkdir, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { commitName, SyncError } from '@rejoin/core'
import { intents, openClient, startHub, type HubOptions, type Replica, type RunningHub } from 'rejoin'
import { backUpAndVerify } from '../../packages/rejoin/src/wiring/backing-up.ts'
import { restoreBackup } from '../../packages/rejoin/src/wiring/restoring.ts'
import { checkout, rejoin as rejoinInShell, withFolder, withHub } from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'
import { flipValue, hubKey } from '../support/strike.ts'
import { until, within } from '../support/until.ts'

test('[3] a hub restored from an older backup heals from its replicas: nothing acknowledged is missing', async () => {
  await withFolder(async (folder) => {
    const [data, backup, again] = paths(folder, 'hub', 'backup', 'again')
    const [laptop, phone, reader] = paths(folder, 'laptop', 'phone', 'reader')
    const acked = new Set<string>()
    await withRunning({ data }, async (hub) => {
      await withReplica(laptop, hub, (replica) => write(replica, acked, 'laptop before', 5))
      await withReplica(phone, hub, (replica) => write(replica, acked, 'phone before', 5))
      await withReplica(laptop, hub, async (replica) => {
        // The backup is made while commits come in.
        const writing = write(replica, acked, 'laptop meanwhile', 10)
        await rejoinJson(['backup', '--data', data, '--out', backup])
        await writing
      })
      await withReplica(phone, hub, (replica) => write(replica, acked, 'phone after', 5))
      await withReplica(reader, hub, settled)
    })
    const restored = await rejoin(['restore', backup, '--data', again])
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    expect(restored.stdout).toMatch(/again: 1 namespace, .* restored from the backup of 20\d\d-/)
    expect(restored.stdout).toMatch(/^support: sound; /m)
    // The log was told that it may have lost its end: its seqs go on far behind any that was given.
    expect((await headOf(again)) - (await headOf(backup))).toBeGreaterThan(1_000)

    await withRunning({ data: again, retention: { commits: 1 } }, async (hub) => {
      // Before those come back who have seen more, others have written more than was lost, and none of it is retained.
      const [tablet] = paths(folder, 'tablet')
      await withReplica(tablet, hub, (replica) => write(replica, acked, 'tablet', 40))
      await hub.checkpoint('support')
      // The first to come has only ever read, and so nothing of its own by which it would be known.
      for (const replica of [reader, tablet]) await withReplica(replica, hub, settled)
      expect(await phrasesOf(tablet)).toEqual(expect.arrayContaining([...acked]))
      for (const replica of [laptop, phone, laptop, reader, tablet]) await withReplica(replica, hub, settled)
      const digests = new Set<string>()
      for (const replica of [laptop, phone, reader, tablet]) {
        expect(await phrasesOf(replica)).toEqual(expect.arrayContaining([...acked]))
        digests.add(await digestOf(replica))
      }
      const verified = await hub.verify('support')
      expect(verified.faults).toEqual([])
      expect([...digests]).toEqual([verified.digest])
    })
  })
})

test('a backup of a running hub and of a stopped one are alike, and verify', async () => {
  await withFolder(async (folder) => {
    const [data, running, stopped] = paths(folder, 'hub', 'running', 'stopped')
    await withHub(data, async (url) => {
      await withReplica(path.join(folder, 'laptop'), { url }, (replica) => write(replica, new Set(), 'x', 5))
      // Both in processes of their own.
      const made = await rejoinInShell(['backup', '--data', data, '--out', running])
      expect(made).toMatchObject({ code: 0, stderr: '' })
      expect(made.stdout).toMatch(/running: 1 namespace, .*, made by the running hub\nverified: sound\n$/)
      expect(await rejoin(['verify', '--data', data])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/STORE_LOCKED/) as string,
      })
    })
    const made = await rejoin(['backup', '--data', data, '--out', stopped])
    expect(made.stdout).toMatch(/of the folder, which no hub has open\nverified: sound\n$/)
    const reports = []
    for (const folder of [data, running, stopped])
      reports.push(await rejoinJson(['verify', '--data', folder]))
    expect(reports[1]).toEqual(reports[0])
    expect(reports[2]).toEqual(reports[0])
    const served = await rejoin(['hub', '--data', running, '--port', '0'])
    expect(served).toMatchObject({ code: 1, stderr: expect.stringMatching(/is a backup/) as string })
  })
})

test('[13] a damaged namespace is copied as it is, and named; restored, it is closed until it is repaired', async () => {
  await withFolder(async (folder) => {
    const [data, backup, again, laptop] = paths(folder, 'hub', 'backup', 'again', 'laptop')
    await withRunning({ data }, (hub) =>
      withReplica(laptop, hub, (replica) => write(replica, new Set(), 'x', 5)),
    )
    await flipValue(data, hubKey('record', 'support', 4))
    const made = await rejoin(['backup', '--data', data, '--out', backup])
    expect(made.code).toBe(1)
    expect(made.stdout).toMatch(/^support: DAMAGED, copied as it is\nverified: FAULTS/m)
    const restored = await rejoin(['restore', backup, '--data', again])
    expect(restored.code).toBe(1)
    expect(restored.stdout).toMatch(/^support: CLOSED FOR WRITING, to be repaired: .*0+4 /m)
    expect(await rejoin(['repair', '--data', again, '--discard'])).toMatchObject({ code: 0 })
    await withRunning({ data: again }, (hub) => withReplica(laptop, hub, settled))
    expect(await rejoinJson(['verify', '--data', again])).toMatchObject([
      { digest: await digestOf(laptop), faults: [] },
    ])
  })
})

test('[13] where LevelDB cannot read a block, the namespace in it is named and closed in the backup and the others are whole; restored or not, it is repaired', async () => {
  await withFolder(async (folder) => {
    const [data, backup, again, laptop] = paths(folder, 'hub', 'backup', 'again', 'laptop')
    await withRunning({ data }, async (hub) => {
      const client = await openClient({ data: laptop, hub: hub.url })
      for (const namespace of ['aa', 'bb', 'cc']) {
        const replica = await client.open(intents, namespace)
        await write(replica, new Set(), 'the same over and over '.repeat(20), 120)
      }
      await client.close()
    })
    await rejoinJson(['checkpoint', '--data', data])
    await loseBlock(data, 'bb')
    const struck = await rejoin(['verify', '--data', data])
    expect(struck.stdout).toMatch(/^aa: sound; [^]*^bb: 1 FAULT; [^]*^cc: sound; /m)

    for (const by of ['this process', 'running hub']) {
      const place = `${backup} by ${by}`
      const make = async () => {
        const { code, stdout, stderr } = await rejoin(['backup', '--data', data, '--out', place, '--json'])
        expect([code, stderr]).toEqual([1, ''])
        expect(JSON.parse(stdout)).toMatchObject({
          by,
          namespaces: ['aa', 'bb', 'cc'],
          damaged: ['bb'],
          verified: [{ faults: [] }, { namespace: 'bb' }, { faults: [] }],
        })
      }
      await (by === 'running hub' ? withRunning({ data }, make) : make())
      const verified = await rejoin(['verify', '--data', place])
      expect(verified.stdout).toMatch(/^aa: sound; [^]*^bb: \d FAULTS?; [^]*^cc: sound; /m)
    }

    const digest = await rejoinJson<{ digest: string }>(['digest', '--data', laptop, '--namespace', 'bb'])
    const places = [data]
    for (const [i, source] of [`${backup} by running hub`, data].entries()) {
      const place = `${again}-${i}`
      places.push(place)
      const restored = await rejoin(['restore', source, '--data', place])
      expect(restored.stdout).toMatch(/^bb: CLOSED FOR WRITING, to be repaired: .*bb/m)
    }
    for (const place of places) {
      // The checkpoint covers what is missing.
      const repaired = await rejoin(['repair', '--data', place])
      expect(repaired.code).toBe(0)
      expect(repaired.stdout).toMatch(/^bb: repaired\n {2}drop the records up to \d+, which the checkpoint/m)
      expect(await rejoinJson(['verify', '--data', place])).toMatchObject([
        { faults: [] },
        { namespace: 'bb', digest: digest.digest, faults: [] },
        { faults: [] },
      ])
    }
  })
})

test('a backup and a restored hub go into new folders only', async () => {
  await withFolder(async (folder) => {
    const [data, backup, full] = paths(folder, 'hub', 'backup', 'full')
    await withRunning({ data }, async (hub) => {
      await mkdir(full)
      await writeFile(path.join(full, 'mine'), '')
      expect(await rejoin(['backup', '--data', data, '--out', full])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/not empty.*INPUT_INVALID/) as string,
      })
      await expect(hub.backup(full)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
      await hub.backup(backup)
    })
    for (const place of [data, full])
      expect(await rejoin(['restore', backup, '--data', place])).toMatchObject({ code: 1 })
    expect(await readdir(full)).toEqual(['mine'])
    expect(await rejoin(['restore', full, '--data', path.join(folder, 'new')])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/FOLDER_FOREIGN/) as string,
    })
    expect((await readdir(folder)).sort()).toEqual(['backup', 'full', 'hub'])
  })
})

test('a hub that asks who they are asks so again when it is restored', async () => {
  await withFolder(async (folder) => {
    const [data, backup, again, laptop] = paths(folder, 'hub', 'backup', 'again', 'laptop')
    const scope = ['--name', 'laptop', '--scope', 'write:support']
    const { key } = await rejoinJson<{ key: string }>(['keys', 'add', '--data', data, ...scope])
    await withRunning({ data }, (hub) => hub.backup(backup).then(() => {}))
    await rejoinJson(['restore', backup, '--data', again])
    await withRunning({ data: again }, async (hub) => {
      const client = await openClient({ data: laptop, hub: hub.url })
      const replica = await client.open(intents, 'support', { live: false })
      await expect(replica.syncOnce()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
      await client.close()
      const signedIn = await openClient({ data: laptop, hub: hub.url, token: () => key })
      await (await signedIn.open(intents, 'support', { live: false })).syncOnce()
      await signedIn.close()
    })
  })
})

test('only the owner of the folder can ask the hub, also where its path is too long for a socket', async () => {
  await withFolder(async (folder) => {
    for (const data of [path.join(folder, 'hub'), path.join(folder, 'd'.repeat(60), 'e'.repeat(60), 'hub')]) {
      await withRunning({ data }, async () => {
        const socket = await socketOf(data)
        expect((await stat(path.dirname(socket))).mode & 0o777).toBe(0o700)
        expect((await stat(socket)).isSocket()).toBe(true)
        await rejoinJson(['backup', '--data', data, '--out', `${data}-backup`])
        expect(await ask(socket, 'nonsense')).toMatchObject({ error: { code: 'MESSAGE_MALFORMED' } })
        expect(await ask(socket, '{"op":"remove"}')).toMatchObject({ error: { code: 'MESSAGE_MALFORMED' } })
        expect(await ask(socket, 'x'.repeat(100_000))).toMatchObject({ error: { code: 'MESSAGE_TOO_LARGE' } })
      })
      expect(existsSync(path.dirname(await socketOf(data)))).toBe(false)
    }
  })
})

test('what a copied folder says of sockets is not believed: nothing is removed that is not its own, and its own hub is asked', async () => {
  await withFolder(async (folder) => {
    const deep = path.join(folder, 'd'.repeat(60), 'e'.repeat(60))
    const [data, copy, other] = [path.join(deep, 'hub'), path.join(deep, 'copy'), path.join(folder, 'other')]
    await mkdir(other)
    await writeFile(path.join(other, 'kept'), 'kept')
    await withRunning({ data }, async () => {
      await cp(data, copy, { recursive: true, filter: (from) => !from.includes('rejoin.lease') })
      await mkdir(path.join(copy, 'rejoin.run'), { recursive: true })
      await writeFile(path.join(copy, 'rejoin.run', 'at'), path.join(other, 'socket'))
      const ofCopy = await rejoinJson<{ by: string }>(['backup', '--data', copy, '--out', `${data}-1`])
      expect(ofCopy.by).not.toBe('running hub')
      await withRunning({ data: copy }, async () => {
        for (const each of [data, copy])
          expect(await rejoinJson(['backup', '--data', each, '--out', `${each}-backup`])).toMatchObject({
            by: 'running hub',
          })
      })
      expect(existsSync(await socketOf(data))).toBe(true)
    })
    expect(await readdir(other)).toEqual(['kept'])
  })
})

/** As the commands find it: beside the data, or, where that is too long a name, among the temporary files. */
async function socketOf(data: string): Promise<string> {
  const near = path.join(await realpath(data), 'rejoin.run', 'socket')
  if (near.length <= 100) return near
  const name = createHash('sha256')
    .update(path.dirname(path.dirname(near)))
    .digest('hex')
    .slice(0, 16)
  return path.join(tmpdir(), `rejoin-${name}`, 'socket')
}

test('a hub that was killed leaves nothing that its next process or a backup stumbles over', async () => {
  await withFolder(async (folder) => {
    const [data, backup] = paths(folder, 'hub', 'backup')
    await withHub(data, async (url, hub) => {
      await withReplica(path.join(folder, 'laptop'), { url }, (replica) => write(replica, new Set(), 'x', 2))
      await hub.stop('SIGKILL')
    })
    expect(await readdir(data)).toContain('rejoin.run')
    expect(await rejoin(['backup', '--data', data, '--out', backup])).toMatchObject({ code: 0 })
    await withRunning({ data }, async (hub) => {
      expect(await hub.verify('support')).toMatchObject({ commits: 3, faults: [] })
      expect((await rejoinJson<{ by: string }>(['backup', '--data', data, '--out', `${backup}-2`])).by).toBe(
        'running hub',
      )
    })
  })
})

test('a hub makes one backup at a time, and a closing hub ends it; nothing half is left', async () => {
  await withFolder(async (folder) => {
    const [data] = paths(folder, 'hub')
    const hub = await startHub({ data, domains: [intents], port: 0 })
    await withReplica(path.join(folder, 'laptop'), hub, (replica) => write(replica, new Set(), 'x', 2))
    const first = hub.backup(path.join(folder, 'first'))
    await expect(hub.backup(path.join(folder, 'second'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await first
    const third = hub.backup(path.join(folder, 'third')).catch((error: unknown) => error)
    await hub.close()
    expect(await third).toMatchObject({ code: 'HUB_CLOSING' })
    await expect(hub.backup(path.join(folder, 'fourth'))).rejects.toMatchObject({ code: 'HUB_CLOSING' })
    expect((await readdir(folder)).sort()).toEqual(['first', 'hub', 'laptop'])
  })
})

test('a backup that was stopped while it was verified is not left, nor one that is stopped at any other time', async () => {
  await withFolder(async (folder) => {
    const [data, backup, again] = paths(folder, 'hub', 'backup', 'again')
    await withRunning({ data }, async (hub) => {
      await withReplica(path.join(folder, 'laptop'), hub, (replica) => write(replica, new Set(), 'x', 2))
      const stopping = new AbortController()
      const verify = async () => {
        // Also where somebody ends this process now, nothing has the name of a backup that is not verified.
        expect((await readdir(folder)).sort()).toEqual(['backup.partial', 'hub', 'laptop'])
        stopping.abort(new SyncError('INTERRUPTED', 'stopped'))
        return await new Promise<never>(() => {})
      }
      await expect(backUpAndVerify(data, backup, { signal: stopping.signal }, verify)).rejects.toMatchObject({
        code: 'INTERRUPTED',
      })
      expect((await readdir(folder)).sort()).toEqual(['hub', 'laptop'])
      await hub.backup(backup)
    })
    const stopping = new AbortController()
    const restoring = restoreBackup(backup, again, {
      signal: stopping.signal,
      onProgress: () => setImmediate(() => stopping.abort(new SyncError('INTERRUPTED', 'stopped'))),
    })
    await expect(restoring).rejects.toMatchObject({ code: 'INTERRUPTED' })
    expect((await readdir(folder)).sort()).toEqual(['backup', 'hub', 'laptop'])
  })
})

test('a backup whose command is killed while it verifies, beside a hub under load, never has the name of one that was verified', async () => {
  await withFolder(async (folder) => {
    const [data, backup, laptop] = paths(folder, 'hub', 'backup', 'laptop')
    await withRunning({ data }, async (hub) => {
      await withReplica(laptop, hub, async (replica) => {
        const acked = new Set<string>()
        await write(replica, acked, 'laptop before', 50)
        let isOver = false
        const writing = (async () => {
          for (let i = 0; !isOver; i++) await write(replica, acked, `laptop ${i}`, 5)
        })()
        try {
          await killVerifying(data, backup)
        } finally {
          isOver = true
          await writing
        }
        expect(await rejoinJson(['verify', '--data', backup])).toMatchObject([{ faults: [] }])
        expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([])
      })
    })
  })
})

test('Ctrl-C ends backup and restore with INTERRUPTED, and what it says fits them', async () => {
  await withFolder(async (folder) => {
    const [data, backup] = paths(folder, 'hub', 'backup')
    await withRunning({ data }, async (hub) => {
      await withReplica(path.join(folder, 'laptop'), hub, (replica) => write(replica, new Set(), 'x', 2))
      await hub.backup(backup)
    })
    for (const args of [
      ['backup', '--data', data, '--out', path.join(folder, 'out')],
      ['restore', backup, '--data', path.join(folder, 'out')],
    ]) {
      const ended = rejoin(args)
      for (const hear of process.listeners('SIGINT')) hear('SIGINT')
      const { code, stderr } = await ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/^rejoin: interrupted; no .* is left: run it again \[INTERRUPTED\]\n$/)
      expect((await readdir(folder)).sort()).toEqual(['backup', 'hub', 'laptop'])
    }
  })
})

test('Ctrl-C ends a command at once that listens for nothing by itself', async () => {
  await withFolder(async (folder) => {
    const [data] = paths(folder, 'hub')
    await withRunning({ data }, async () => {})
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
    try {
      const ended = rejoin(['verify', '--data', data])
      for (const hear of process.listeners('SIGINT')) hear('SIGINT')
      expect(exit.mock.calls).toEqual([[1]])
      expect((await ended).stderr).toMatch(
        /^rejoin: interrupted; it was not done: run it again \[INTERRUPTED\]$/m,
      )
    } finally {
      exit.mockRestore()
    }
    expect(process.listeners('SIGINT')).toEqual([])
  })
})

test('a place for a backup where none can be is refused, and says why', async () => {
  await withFolder(async (folder) => {
    const [data] = paths(folder, 'hub')
    await withRunning({ data }, async () => {})
    const places = { inside: path.join(data, 'deep', 'backup'), itself: data, nowhere: '/proc/x' }
    for (const isRunning of [false, true]) {
      const refusals = async () => {
        for (const place of [places.inside, places.itself])
          expect(await rejoin(['backup', '--data', data, '--out', place])).toMatchObject({
            code: 1,
            stderr: expect.stringMatching(/is inside .*hub, .*elsewhere \[INPUT_INVALID\]/) as string,
          })
        expect(await rejoin(['backup', '--data', data, '--out', places.nowhere])).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(
            /\/proc\/x cannot be made .*may be written to \[INPUT_INVALID\]/,
          ) as string,
        })
      }
      await (isRunning ? withRunning({ data }, refusals) : refusals())
    }
  })
})

async function withRunning(
  options: Partial<HubOptions> & { data: string },
  use: (hub: RunningHub) => Promise<void>,
): Promise<void> {
  const hub = await startHub({ domains: [intents], port: 0, ...options })
  try {
    await use(hub)
  } finally {
    await hub.close()
  }
}

async function withReplica(
  data: string,
  hub: { readonly url: string },
  use: (replica: Replica<typeof intents>) => Promise<unknown>,
): Promise<void> {
  const client = await openClient({ data, hub: hub.url })
  try {
    await use(await client.open(intents, 'support'))
  } finally {
    await client.close()
  }
}

/** Makes a block unreadable to LevelDB that holds records of the namespace. */
async function loseBlock(data: string, namespace: string): Promise<void> {
  const names = (await readdir(path.join(data, 'db'))).filter((name) => name.endsWith('.ldb'))
  for (const name of names) {
    const file = path.join(data, 'db', name)
    const bytes = await readFile(file)
    const places: number[] = []
    // The first key of a block is written in full.
    const key = `hub!record!${namespace}!`
    for (let at = bytes.indexOf(key); at >= 0; at = bytes.indexOf(key, at + 1)) places.push(at)
    const place = places[Math.floor(places.length / 2)]
    if (place === undefined || places.length < 3) continue
    // Long enough to hit more than the text between two copies, which would decompress all the same.
    bytes.fill(0xff, place + 50, place + 250)
    await writeFile(file, bytes)
    return
  }
  throw new Error(`${data} has no table with records of ${namespace}`)
}

/** One commit after the other, each acknowledged. */
async function write(
  replica: Replica<typeof intents>,
  acked: Set<string>,
  text: string,
  count: number,
): Promise<void> {
  await within('it has caught up', replica.syncOnce())
  const row = replica.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} })
  if (row.kind === 'commit') await row.acked
  for (let i = 0; i < count; i++) {
    const phrase = `${text} ${i}`
    const receipt = replica.apply({ type: 'PhraseAdded', intentId: 'a', phrase, lang: 'en' })
    if (receipt.kind === 'unchanged') throw new Error(`${phrase} is there already`)
    await within(`${commitName(receipt.id)} is acknowledged`, receipt.acked)
    acked.add(phrase)
  }
  await until('nothing waits', () => replica.status.pending === 0)
}

async function settled(replica: Replica<typeof intents>): Promise<void> {
  await within('it has synced', replica.syncOnce())
  expect(replica.status).toMatchObject({ pending: 0, rejected: 0, lastError: null })
}

/** Kills `rejoin backup` when its copy is done, and makes the backup then. */
async function killVerifying(data: string, backup: string): Promise<void> {
  const child = spawn(process.execPath, [bin, 'backup', '--data', data, '--out', backup])
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  // The note is the last that is written before it is verified.
  const note = path.join(`${backup}.partial`, 'rejoin.backup')
  await until('it is verified', () => existsSync(note) || existsSync(backup))
  child.kill('SIGKILL')
  const code = await ended
  expect(existsSync(backup)).toBe(code === 0)
  if (code === 0) return
  let again = await rejoin(['backup', '--data', data, '--out', backup])
  // The hub may only just have heard that nobody asks any more.
  while (again.stderr.includes('is being made'))
    again = await rejoin(['backup', '--data', data, '--out', backup])
  if (again.code === 0) return
  expect(again.stderr).toMatch(/backup\.partial is there: .*interrupted; remove it.*INPUT_INVALID/)
  await rm(`${backup}.partial`, { recursive: true })
  expect(await rejoin(['backup', '--data', data, '--out', backup])).toMatchObject({ code: 0 })
}

const bin = path.join(checkout, 'packages/rejoin/bin/rejoin.js')

let packs = 0

async function phrasesOf(data: string): Promise<readonly string[]> {
  const out = `${data}-pack-${++packs}`
  await rejoinJson(['export', '--data', data, '--namespace', 'support', '--out', out])
  const pack = await readFile(path.join(out, 'a.json'), 'utf8')
  return [...pack.matchAll(/"((?:laptop|phone|tablet)[^"]*)"/g)].map(([, phrase]) => phrase ?? '')
}

async function headOf(data: string): Promise<number> {
  const [report] = await rejoinJson<{ head: number }[]>(['verify', '--data', data])
  return report?.head ?? 0
}

async function digestOf(data: string): Promise<string> {
  const result = await rejoinJson<{ digest: string }>(['digest', '--data', data, '--namespace', 'support'])
  return result.digest
}

/** The last answer to one line. */
async function ask(socket: string, line: string): Promise<unknown> {
  const connection = createConnection(socket)
  connection.write(`${line}\n`)
  const answers = (await within('it answers', text(connection))).trim().split('\n')
  return JSON.parse(answers.at(-1) ?? '') as unknown
}

function paths(folder: string, ...names: readonly string[]): string[] & Record<0 | 1 | 2 | 3, string> {
  return names.map((name) => path.join(folder, name)) as never
}
