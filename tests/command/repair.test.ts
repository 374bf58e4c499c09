// Damaged folders from the command line: `verify` says what is wrong past every fault, `repair` restores what can be restored,
// drops nothing unasked, and what was lost comes back from replicas.
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { intents, openClient, startHub, type Replica, type RunningHub } from 'rejoin'
import { withFolder } from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'
import { until } from '../support/until.ts'
import { flipValue, hubKey, keysIn, loseValue, replaceValue } from '../support/strike.ts'

test('[13] verify tells every fault of a hub and counts what is sound, also behind the damage', async () => {
  await withWorld(async ({ hub }) => {
    expect(await rejoinJson(['verify', '--data', hub])).toMatchObject([
      { namespace: 'sales', records: 6, faults: [] },
      { namespace: 'support', records: 6, faults: [] },
    ])
    // The newest record alone: `heads` still answers.
    await flipValue(hub, hubKey('record', 'support', 6))
    const newest = await rejoin(['verify', '--data', hub])
    expect(newest.code).toBe(1)
    expect(newest.stdout).toMatch(/^sales: sound; 6 records/m)
    expect(newest.stdout).toMatch(
      /^support: 1 FAULT; 5 records .* digest none\n {2}.*hub!record!support!0+6 /m,
    )

    await flipValue(hub, hubKey('record', 'sales', 2))
    await loseValue(hub, hubKey('record', 'sales', 4))
    const { stdout } = await rejoin(['verify', '--data', hub, '--json'])
    expect(JSON.parse(stdout)).toMatchObject([
      {
        namespace: 'sales',
        records: 4,
        commits: 4,
        digest: null,
        faults: [
          { message: expect.stringMatching(/hub!record!sales!0+2 does not match its checksum/) as string },
          { message: expect.stringMatching(/records after 3 are missing/) as string },
        ],
      },
      { namespace: 'support' },
    ])

    await flipValue(hub, 'hub!state!support')
    const stateless = await rejoin(['verify', '--data', hub])
    expect(stateless.code).toBe(1)
    expect(stateless.stdout).toMatch(/^support: 1 FAULT; .*\n {2}.*hub!state!support does not match/m)
  })
})

test('[13] verify of a hub that is damaged as a whole says so, and what can be said of its namespaces', async () => {
  await withWorld(async ({ hub }) => {
    await flipValue(hub, 'hub!store')
    const { code, stdout } = await rejoin(['verify', '--data', hub])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^the folder as a whole: 1 FAULT\n.*hub!store/)
    expect(stdout).toMatch(/^support: sound; 6 records/m)
    const json = JSON.parse((await rejoin(['verify', '--data', hub, '--json'])).stdout) as unknown
    expect(json).toMatchObject([{ namespace: null }, { namespace: 'sales' }, { namespace: 'support' }])
    const nowhere = await rejoin(['verify', '--data', path.dirname(hub)])
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/FOLDER_FOREIGN/) as string })
  })
})

test('[13] verify reads every value of a replica', async () => {
  await withWorld(async ({ laptop }) => {
    await offline(laptop, 'waiting')
    const digest = await digestOf(laptop)
    expect(await rejoinJson(['verify', '--data', laptop])).toMatchObject([
      { namespace: 'sales', outbox: 0, faults: [] },
      { namespace: 'support', outbox: 1, rejected: 0, cursor: { seq: 6 }, digest, faults: [] },
    ])
    const [outbox] = await keysIn(laptop, 'replica!outbox!support')
    await flipValue(laptop, outbox ?? '')
    const { code, stdout } = await rejoin(['verify', '--data', laptop])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^sales: sound; /m)
    expect(stdout).toMatch(/^support: 1 FAULT; .* 0 commits waiting .*\n {2}.*replica!outbox!support!/m)
  })
})

test('a hub whose checkpoint covers the damage is repaired without losing anything', async () => {
  await withWorld(async ({ hub, laptop }) => {
    await rejoinJson(['checkpoint', '--data', hub, '--namespace', 'support'])
    await flipValue(hub, hubKey('record', 'support', 3))
    const closed = await rejoin(['verify', '--data', hub])
    expect(closed.code).toBe(1)
    const repaired = await rejoin(['repair', '--data', hub])
    expect(repaired.stderr).toBe('')
    expect(repaired).toMatchObject({ code: 0 })
    expect(repaired.stdout).toMatch(/^sales: nothing to repair$/m)
    expect(repaired.stdout).toMatch(
      /^support: repaired\n {2}damaged: .*0+3 .*\n {2}drop the records up to 3/m,
    )
    const report = await reportOf(hub)
    expect(report).toMatchObject({ kind: 'hub', isDiscarding: false })
    expect(await rejoinJson(['verify', '--data', hub])).toMatchObject([{}, { floor: 3, faults: [] }])
    await converge(hub, [laptop])
  })
})

test('[3] a log that ends in damage is cut where that is asked for, and replicas bring the rest back', async () => {
  await withWorld(async ({ hub, laptop, phone }) => {
    await flipValue(hub, hubKey('record', 'support', 4))
    const unasked = await rejoin(['repair', '--data', hub, '--json'])
    expect(unasked.code).toBe(1)
    const named = JSON.parse(unasked.stdout) as { namespaces: { commits: string[] }[] }
    expect(named.namespaces[1]).toMatchObject({ namespace: 'support', outcome: 'needs discard' })
    // The two behind the damage, by name.
    expect(named.namespaces[1]?.commits).toHaveLength(2)
    expect(await rejoin(['verify', '--data', hub])).toMatchObject({ code: 1 })
    expect(await keysIn(hub, hubKey('record', 'support', 5))).toHaveLength(1)

    const asked = await rejoinJson<{ salvage: string }>(['repair', '--data', hub, '--discard'])
    expect(asked).toMatchObject({ namespaces: [{ outcome: 'whole' }, { outcome: 'repaired' }] })
    // Seqs that were given are passed: a cursor of what was cut is recognised.
    expect(await rejoinJson(['verify', ...support(hub)])).toMatchObject([
      { records: 4, head: expect.toSatisfy((head: number) => head > 1_000) as number },
    ])
    const saved = (await readFile(asked.salvage, 'utf8')).trim().split('\n')
    expect(saved.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(
      [4, 5, 6].map((seq) => hubKey('record', 'support', seq)),
    )
    expect(await rejoin(['verify', '--data', hub])).toMatchObject({ code: 0 })
    // Others write more than was lost, and none of it is retained, before those come back who have seen it.
    const tablet = path.join(path.dirname(hub), 'tablet')
    await withRunning(hub, async (url, running) => {
      await withReplicas(tablet, url, async (replica) => {
        await replica.syncOnce()
        for (let i = 0; i < 10; i++) await commit(replica, phrase(`tablet ${i}`))
      })
      await running.checkpoint('support')
    })
    // The one that only ever read has it too, and nothing of its own by which it would be known.
    await converge(hub, [phone, tablet])
    const phrases = await exported(phone)
    for (let i = 0; i < 5; i++) expect(phrases).toContain(`"phrase ${i}"`)
    for (let i = 0; i < 10; i++) expect(phrases).toContain(`"tablet ${i}"`)
    await converge(hub, [laptop, phone])
  })
})

test('[3] --from heals a repaired hub from a folder at once', async () => {
  await withWorld(async ({ hub, laptop, phone }) => {
    const before = await digestOf(laptop)
    await loseValue(hub, hubKey('record', 'support', 5))
    const repaired = await rejoinJson(['repair', '--data', hub, '--discard', '--from', laptop])
    expect(repaired).toMatchObject({
      healed: [
        { namespace: 'sales', error: null },
        { namespace: 'support', error: null },
      ],
    })
    expect(await rejoinJson(['verify', '--data', hub, '--namespace', 'support'])).toMatchObject([
      { digest: before, faults: [] },
    ])
    await converge(hub, [phone])
    expect(await digestOf(phone)).toBe(before)
  })
})

test('a hub whose store record is lost is accepted as an older one, and its replicas make it whole', async () => {
  await withWorld(async ({ hub, laptop, phone }) => {
    const before = await digestOf(laptop)
    await loseValue(hub, 'hub!store')
    expect(await rejoin(['repair', '--data', hub])).toMatchObject({ code: 1 })
    expect(await rejoin(['hub', '--data', hub, '--port', '0'])).toMatchObject({ code: 1 })
    expect(await rejoin(['repair', '--data', hub, '--discard'])).toMatchObject({ code: 0 })
    for (const { head } of await rejoinJson<{ head: number }[]>(['verify', '--data', hub]))
      expect(head).toBeGreaterThan(1_000)
    await converge(hub, [laptop, phone])
    expect(await digestOf(phone)).toBe(before)
  })
})

test('[3] a namespace of which nothing can be read is forgotten where that is asked for, all of it is kept, and replicas begin it again', async () => {
  await withWorld(async ({ hub, laptop, phone }) => {
    const before = await digestOf(laptop)
    await rejoinJson(['checkpoint', '--data', hub, '--namespace', 'support'])
    // Whatever there was, and nothing that says of which domain it is.
    for (const prefix of ['record', 'marks', 'snapshot', 'state'])
      for (const key of await keysIn(hub, `hub!${prefix}!support`))
        await (prefix === 'record' ? loseValue : flipValue)(hub, key)
    const parts = await keysOfSupport(hub)
    expect(await rejoin(['verify', '--data', hub])).toMatchObject({ code: 1 })
    const keys = await contentOf(hub)
    const unasked = await rejoin(['repair', '--data', hub])
    expect(unasked.code).toBe(1)
    expect(unasked.stdout).toMatch(/^support: NOT REPAIRED[^]*would forget it, .* from 1 to 6 is lost/m)
    expect(await contentOf(hub)).toEqual(keys)

    const asked = await rejoinJson<{ salvage: string }>(['repair', '--data', hub, '--discard'])
    expect(asked).toMatchObject({
      namespaces: [
        { outcome: 'whole' },
        {
          outcome: 'repaired',
          lost: { from: 1, to: 6 },
          advice: expect.stringMatching(/--from FOLDER/) as string,
        },
      ],
    })
    const saved = (await readFile(asked.salvage, 'utf8')).trim().split('\n')
    const names = saved.map((line) => (JSON.parse(line) as { key: string }).key)
    expect(names).toEqual(expect.arrayContaining([...parts, 'hub!state!support']))
    expect(await rejoinJson(['verify', '--data', hub])).toMatchObject([{ namespace: 'sales', faults: [] }])
    // The first that comes has only ever read.
    await converge(hub, [phone, laptop])
    expect(await digestOf(laptop)).toBe(before)
    const [report] = await rejoinJson<{ head: number }[]>(['verify', ...support(hub)])
    expect(report?.head).toBeGreaterThan(1_000)
  })
})

test('[3] where one that is new comes first to a namespace that was forgotten, those that have it are refused and keep it', async () => {
  await withWorld(async ({ hub, laptop, phone }) => {
    for (const key of await keysIn(hub, 'hub!record!support')) await flipValue(hub, key)
    await rejoinJson(['repair', '--data', hub, '--discard'])
    const tablet = path.join(path.dirname(hub), 'tablet')
    const before = await digestOf(laptop)
    await withRunning(hub, async (url, running) => {
      await withReplicas(tablet, url, async (replica) => {
        await replica.syncOnce()
        for (const id of ['b', 'c', 'd'])
          await commit(replica, { type: 'IntentAdded', id, phrasesByLang: {} })
      })
      await running.checkpoint('support')
      for (const data of [laptop, phone]) {
        const client = await openClient({ data, hub: url })
        const replica = await client.open(intents, 'support', { live: false })
        await expect(replica.syncOnce()).rejects.toMatchObject({ code: 'HISTORY_DIVERGED' })
        await client.close()
        expect(await digestOf(data)).toBe(before)
      }
    })
  })
})

test('[3] a trimmed log that has lost its checkpoint is not taken back to one before it: it begins anew where that is asked for, and replicas bring all of it back', async () => {
  for (const manner of ['by itself', 'from a folder'] as const) {
    await withWorld(async ({ hub, laptop, phone }) => {
      await trimBetween(hub, laptop)
      const before = await digestOf(laptop)
      const snapshots = await keysIn(hub, 'hub!snapshot!support')
      expect(snapshots).toHaveLength(2)
      await flipValue(hub, snapshots[1] ?? '')
      // So that it is met, and the folder closed for writing, before.
      await rejoin(['verify', '--data', hub])
      const [content, keys] = [await contentOf(hub), await keysOfSupport(hub)]
      const unasked = await rejoin(['repair', '--data', hub, '--namespace', 'support'])
      expect(unasked.code).toBe(1)
      expect(unasked.stdout).toMatch(/^support: NOT REPAIRED.*[^]*would begin its log anew/m)
      expect(unasked.stdout).toMatch(/now: restore a backup; or repair with --discard: .*--from FOLDER$/m)
      expect(unasked.stdout).not.toMatch(/what was taken out|go back/)
      expect(await contentOf(hub)).toEqual(content)

      const from = manner === 'by itself' ? [] : ['--from', laptop]
      const asked = await rejoinJson<{ salvage: string }>(['repair', '--data', hub, '--discard', ...from])
      expect(asked).toMatchObject({ namespaces: [{ outcome: 'whole' }, { outcome: 'repaired' }] })
      const saved = (await readFile(asked.salvage, 'utf8')).trim().split('\n')
      expect(saved.map((line) => (JSON.parse(line) as { key: string }).key).toSorted()).toEqual(keys)
      const [report] = await rejoinJson<{ head: number; digest: string }[]>(['verify', ...support(hub)])
      expect(report?.head).toBeGreaterThan(1_000)
      expect(report?.digest === before).toBe(manner === 'from a folder')
      await converge(hub, [laptop, phone])
      expect(await digestOf(phone)).toBe(before)
    })
  }
})

test('[3] a rebuilt log that has lost its checkpoint begins anew in its epoch, and replicas of it bring it back', async () => {
  for (const manner of ['by itself', 'from a folder'] as const) {
    await withWorld(async ({ hub, laptop, phone }) => {
      await rejoinJson(['rebuild', '--data', hub, '--namespace', 'support'])
      await converge(hub, [laptop, phone])
      const before = await digestOf(laptop)
      // The log begins with the rebuild, and what was before it is in the checkpoint alone.
      for (const key of await keysIn(hub, 'hub!snapshot!support')) await flipValue(hub, key)
      const from = manner === 'by itself' ? [] : ['--from', laptop]
      const repaired = await rejoin(['repair', '--data', hub, '--discard', ...from])
      expect(repaired).toMatchObject({ code: 0 })
      await converge(hub, [laptop, phone])
      expect(await digestOf(phone)).toBe(before)
    })
  }
})

test('[3] a checkpoint that matches its checksum and does not read is done without, and goes with the rest', async () => {
  await withWorld(async ({ hub, laptop, phone }) => {
    const digest = await digestOf(laptop)
    await rejoinJson(['checkpoint', '--data', hub, '--namespace', 'support'])
    // Whole as a value, and no checkpoint: only reading it shows that.
    const [marks] = await keysIn(hub, 'hub!marks!support')
    await replaceValue(hub, marks ?? '', new Uint8Array([1, 2, 3]))
    await flipValue(hub, hubKey('record', 'support', 3))
    await rejoin(['verify', '--data', hub])
    const before = await contentOf(hub)
    const { code, stdout } = await rejoin(['repair', '--data', hub])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^support: NOT REPAIRED[^]*damaged: .*checkpoint 6 has marks that do not match/m)
    expect(stdout).toMatch(/would end the log at 2: what was logged from 3 to 6 is lost; .* 3 records/)
    expect(await contentOf(hub)).toEqual(before)
    const asked = await rejoinJson<{ salvage: string }>(['repair', '--data', hub, '--discard'])
    const saved = await readFile(asked.salvage, 'utf8')
    for (const key of [marks ?? '', hubKey('record', 'support', 3), hubKey('record', 'support', 6)])
      expect(saved).toContain(`"${key}"`)
    await converge(hub, [laptop, phone])
    expect(await digestOf(phone)).toBe(digest)
  })
})

test('[3] a log that has lost its first record begins anew, and replicas bring all of it back', async () => {
  await withWorld(async ({ hub, laptop, phone }) => {
    const before = await digestOf(laptop)
    await flipValue(hub, hubKey('record', 'support', 1))
    const unasked = await rejoin(['repair', '--data', hub])
    expect(unasked.code).toBe(1)
    expect(unasked.stdout).toMatch(/would begin its log anew.*5 records that can be read/)
    const asked = await rejoinJson<{ salvage: string }>(['repair', '--data', hub, '--discard'])
    expect(asked).toMatchObject({ namespaces: [{ outcome: 'whole' }, { outcome: 'repaired' }] })
    const saved = (await readFile(asked.salvage, 'utf8')).trim().split('\n')
    expect(saved.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(
      [1, 2, 3, 4, 5, 6].map((seq) => hubKey('record', 'support', seq)),
    )
    expect(await rejoinJson(['verify', ...support(hub)])).toMatchObject([
      { records: 1, commits: 0, head: expect.toSatisfy((head: number) => head > 1_000) as number },
    ])
    // Somebody new is the first to come, and what it writes is trimmed before those come who have seen the rest.
    const tablet = path.join(path.dirname(hub), 'tablet')
    await withRunning(hub, async (url, running) => {
      await withReplicas(tablet, url, async (replica) => {
        await replica.syncOnce()
        await commit(replica, { type: 'IntentAdded', id: 'b', phrasesByLang: {} })
        await commit(replica, { type: 'IntentAdded', id: 'c', phrasesByLang: {} })
      })
      await running.checkpoint('support')
    })
    await converge(hub, [phone, tablet, laptop])
    const content = await exported(tablet)
    for (let i = 0; i < 5; i++) expect(content).toContain(`"phrase ${i}"`)
    expect(await digestOf(laptop)).not.toBe(before)
  })
})

test('[3] --from heals a log that has lost its only record', async () => {
  await withFolder(async (folder) => {
    const [hub, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
    await withRunning(hub, (url) =>
      withReplicas(laptop, url, async (replica) => {
        await commit(replica, { type: 'IntentAdded', id: 'a', phrasesByLang: {} })
        await until('nothing waits', () => replica.status.pending === 0)
      }),
    )
    await flipValue(hub, hubKey('record', 'support', 1))
    const unasked = await rejoin(['repair', '--data', hub])
    expect(unasked.stdout).toMatch(/NOT REPAIRED[^]*now: .*--from FOLDER/)
    expect(await rejoin(['repair', '--data', hub, '--discard', '--from', laptop])).toMatchObject({ code: 0 })
    expect(await rejoinJson(['verify', ...support(hub)])).toMatchObject([
      { digest: await digestOf(laptop), faults: [] },
    ])
    await converge(hub, [laptop])
  })
})

test('[4] a replica whose content is damaged fetches it again, and what waits is pushed', async () => {
  await withWorld(async ({ hub, laptop, phone }) => {
    await offline(laptop, 'offline')
    const [base] = [
      ...(await keysIn(laptop, 'replica!snapshot!support')),
      ...(await keysIn(laptop, 'replica!update!support')),
    ]
    await flipValue(laptop, base ?? '')
    expect(await rejoin(['status', '--data', laptop, '--namespace', 'support'])).toMatchObject({ code: 1 })
    expect(await rejoin(['repair', '--data', laptop])).toMatchObject({ code: 1 })
    const repaired = await rejoin(['repair', '--data', laptop, '--discard'])
    expect(repaired.stdout).toMatch(/^support: repaired$/m)
    expect(repaired.stdout).toMatch(/now: sync it to fetch the content/)
    await converge(hub, [laptop, phone, laptop])
    expect(await exported(phone)).toContain('offline')
    expect(await digestOf(phone)).toBe(await digestOf(laptop))
  })
})

test('[4] a replica whose outbox is damaged names the lost commit, and the later ones can be applied anew', async () => {
  for (const strike of [flipValue, loseValue]) {
    await withWorld(async ({ hub, laptop, phone }) => {
      await offline(laptop, 'first', 'second', 'third')
      const waiting = await keysIn(laptop, 'replica!outbox!support')
      expect(waiting).toHaveLength(3)
      await strike(laptop, waiting[1] ?? '')
      const repaired = await rejoin(['repair', '--data', laptop, '--discard'])
      expect(repaired).toMatchObject({ code: 0, stderr: '' })
      expect(repaired.stdout).not.toMatch(/drop the acknowledged content/)
      expect(repaired.stdout).toMatch(/give up the commits with the counters \d+,/)
      const [rejected] = await rejoinJson<{ commit: number }[]>(['rejected', 'list', ...support(laptop)])
      const counter = `${rejected?.commit}`
      await rejoinJson(['rejected', 'resubmit', ...support(laptop), '--commit', counter])
      await converge(hub, [laptop, phone])
      const content = await exported(phone)
      expect(content).toContain('first')
      expect(content).toContain('third')
      expect(content).not.toContain('second')
    })
  }
})

test('[13] a folder that has lost its rejoin.json, or db/CURRENT, says so, and gets it back from what says the same', async () => {
  const files = ['rejoin.json', path.join('db', 'CURRENT')]
  const strikes: readonly ((file: string) => Promise<void>)[] = [
    (file) => rm(file),
    (file) => truncate(file, 7),
    async (file) => {
      const bytes = await readFile(file)
      bytes[3] = (bytes[3] ?? 0) ^ 1
      await writeFile(file, bytes)
    },
  ]
  await withWorld(async ({ hub, laptop, phone }) => {
    await offline(laptop, 'waiting')
    const before = await rejoinJson(['verify', '--data', hub])
    for (const data of [hub, laptop])
      for (const name of files)
        for (const strike of strikes) {
          await strike(path.join(data, name))
          const told = await rejoin(['verify', '--data', data])
          expect(told.code).toBe(1)
          expect(`${told.stdout}${told.stderr}`).toMatch(/rejoin repair/)
          await expect(openClient({ data })).rejects.toMatchObject({
            code: expect.stringMatching(/STORE_CORRUPT|FOLDER_FOREIGN/) as string,
          })
          const { code, stdout } = await rejoin(['repair', '--data', data])
          expect(stdout).toMatch(/^the folder as a whole: repaired\n {2}damaged: .*(rejoin\.json|CURRENT)/)
          expect(code).toBe(0)
          expect(await rejoin(['verify', '--data', data])).toMatchObject({ code: 0 })
        }
    expect(await rejoinJson(['verify', '--data', hub])).toEqual(before)
    expect(await readdir(hub)).toContain('rejoin.json.damaged')
    await converge(hub, [laptop, phone])
    expect(await exported(phone)).toContain('waiting')
  })
})

test('a folder of somebody else is not taken for one that lost its rejoin.json', async () => {
  await withFolder(async (folder) => {
    const foreign = path.join(folder, 'foreign')
    await mkdir(path.join(foreign, 'db'), { recursive: true })
    await writeFile(path.join(foreign, 'mine'), '')
    const { code, stderr } = await rejoin(['repair', '--data', foreign])
    expect(code).toBe(1)
    expect(stderr).toMatch(/FOLDER_FOREIGN/)
    expect((await readdir(foreign, { recursive: true })).sort()).toEqual(['db', 'mine'])
  })
})

interface World {
  readonly hub: string
  readonly laptop: string
  readonly phone: string
}

/** A hub with two namespaces of six records each, and two replicas that have all of it. */
async function withWorld(use: (world: World) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const [hub, laptop, phone] = ['hub', 'laptop', 'phone'].map((name) => path.join(folder, name))
    if (hub === undefined || laptop === undefined || phone === undefined) throw new Error('three folders')
    await withRunning(hub, async (url) => {
      await withReplicas(laptop, url, async (replica) => {
        await commit(replica, { type: 'IntentAdded', id: 'a', phrasesByLang: {} })
        for (let i = 0; i < 5; i++) await commit(replica, phrase(`phrase ${i}`))
        // Acknowledged, and back in the tail.
        await until('nothing waits', () => replica.status.pending === 0)
      })
      await withReplicas(phone, url, (replica) => replica.syncOnce())
    })
    await use({ hub, laptop, phone })
  })
}

/** Two checkpoints, and a log that was trimmed past the first. */
async function trimBetween(hub: string, laptop: string): Promise<void> {
  await rejoinJson(['checkpoint', '--data', hub, '--namespace', 'support'])
  await withRunning(hub, (url) =>
    withReplicas(laptop, url, async (replica) => {
      for (let i = 5; i < 10; i++) await commit(replica, phrase(`phrase ${i}`))
      await until('nothing waits', () => replica.status.pending === 0)
    }),
  )
  const again = ['--namespace', 'support', '--retention-commits', '2']
  await rejoinJson(['checkpoint', '--data', hub, ...again])
}

/** Of records and checkpoints, whole or not. */
async function keysOfSupport(hub: string): Promise<readonly string[]> {
  return (await keysIn(hub)).filter((key) => /^hub!(marks|record|snapshot)!support!/.test(key))
}

/** Of a hub that its database keeps: but for what a closing and an opening change. */
async function contentOf(hub: string): Promise<readonly string[]> {
  return (await keysIn(hub)).filter((key) => !key.startsWith('hub!damage'))
}

/** Each syncs with the hub in turn, and in the end everybody reads the same, the hub too. */
async function converge(hub: string, replicas: readonly string[]): Promise<void> {
  await withRunning(hub, async (url) => {
    for (const data of [...replicas, ...replicas])
      await withReplicas(data, url, async (replica) => {
        await replica.syncOnce()
        expect(replica.status).toMatchObject({ pending: 0, lastError: null })
      })
  })
  const [report] = await rejoinJson<{ digest: string; faults: unknown[] }[]>(['verify', ...support(hub)])
  expect(report?.faults).toEqual([])
  for (const data of replicas) expect(await digestOf(data)).toBe(report?.digest)
}

async function withRunning(
  data: string,
  use: (url: string, hub: RunningHub) => Promise<void>,
): Promise<void> {
  const hub = await startHub({ data, domains: [intents], port: 0, retention: { commits: 1 } })
  try {
    await use(hub.url, hub)
  } finally {
    await hub.close()
  }
}

/** One after the other: of `sales`, then of `support`. */
async function withReplicas(
  data: string,
  hub: string,
  use: (replica: Replica<typeof intents>) => Promise<unknown>,
): Promise<void> {
  const client = await openClient({ data, hub })
  try {
    for (const namespace of ['sales', 'support']) await use(await client.open(intents, namespace))
  } finally {
    await client.close()
  }
}

async function commit(
  replica: Replica<typeof intents>,
  op: Parameters<typeof replica.apply>[0],
): Promise<void> {
  await replica.apply(op).acked
}

/** Commits without a hub. */
async function offline(data: string, ...texts: readonly string[]): Promise<void> {
  const client = await openClient({ data })
  const replica = await client.open(intents, 'support')
  for (const text of texts) await replica.apply(phrase(text)).saved
  await client.close()
}

function support(data: string): string[] {
  return ['--data', data, '--namespace', 'support']
}

async function digestOf(data: string): Promise<string> {
  return (await rejoinJson<{ digest: string }>(['digest', ...support(data)])).digest
}

async function exported(data: string): Promise<string> {
  const out = path.join(path.dirname(data), `pack-of-${path.basename(data)}`)
  await rejoinJson(['export', ...support(data), '--out', out])
  const files = await readdir(out)
  return (await Promise.all(files.map((file) => readFile(path.join(out, file), 'utf8')))).join('\n')
}

async function reportOf(data: string): Promise<unknown> {
  const names = await readdir(path.dirname(data))
  const name = names.find((each) => /^hub\.repair-.*\.json$/.test(each)) ?? ''
  return JSON.parse(await readFile(path.join(path.dirname(data), name), 'utf8')) as unknown
}

function phrase(text: string) {
  return { type: 'PhraseAdded', intentId: 'a', phrase: text, lang: 'en' } as const
}
