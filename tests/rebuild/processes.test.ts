// Real processes, LevelDB, and `kill -9` at every step of a rebuild.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { digestOf } from '@rejoin/crdt-adapter'
import { intents, openClient, type Replica } from 'rejoin'
import { rejoinJson, withFolder, withHub } from '../support/command.ts'

/** Each with the path of a replica that was caught up, once the hub is back. */
const points = [
  ['amid the work', 'live'],
  ['before append', 'live'],
  ['after append', 'rebuild'],
  ['before installCheckpoint', 'rebuild'],
  ['after installCheckpoint', 'rebuild'],
  ['before trim', 'rebuild'],
  ['after trim', 'rebuild'],
] as const

test('[3] [4] [7] [22] a hub killed at any step of a rebuild comes back and goes on, and so do its replicas', async () => {
  await withFolder(async (folder) => {
    const data = path.join(folder, 'hub')
    const [ada, bob] = [path.join(folder, 'ada'), path.join(folder, 'bob')]
    await withHub(data, async (hub) => {
      await exchange(ada, hub, (replica) => apply(replica, 'ada to begin with'))
      await exchange(bob, hub)
      await exchange(ada, hub)
    })
    for (const [point, way] of points) {
      // Written while the hub is away: it comes with the next exchange, once.
      await offline(bob, (replica) => apply(replica, `bob at ${point}`))
      await killedAt(point, data)
      await withHub(data, async (hub) => {
        expect((await exchange(ada, hub)).path).toBe(way)
        expect(await exchange(bob, hub)).toMatchObject({ path: way, pushed: 1, divergence: null })
        expect(await exchange(ada, hub)).toMatchObject({ path: 'tail', applied: 1, divergence: null })
        await exchange(bob, hub)
      })
      const [one, two] = [await view(ada), await view(bob)]
      expect(one).toEqual(two)
      expect(one.phrases).toContain(`bob at ${point}`)
      const [report]: { faults: unknown[]; digest: string }[] = await rejoinJson(['verify', '--data', data])
      expect(report).toMatchObject({ faults: [], digest: one.digest })
    }
    expect((await view(ada)).phrases).toHaveLength(1 + points.length)
  })
}, 180_000)

test('[7] [22] `rejoin rebuild` on the folder of a hub: who was caught up makes the document itself', async () => {
  await withFolder(async (folder) => {
    const data = path.join(folder, 'hub')
    const ada = path.join(folder, 'ada')
    const epochs: number[] = []
    const ways: { path: string; isSmall: boolean }[] = []
    for (let i = 0; i < 3; i++) {
      await withHub(data, async (hub) => {
        const report = await exchange(ada, hub, (replica) => apply(replica, `phrase ${i}`))
        ways.push({ path: report.path, isSmall: report.bytesDown < 1_000 })
        await exchange(ada, hub)
      })
      const [rebuilt]: { epoch: number }[] = await rejoinJson(['rebuild', '--data', data, '--all'])
      epochs.push(rebuilt?.epoch ?? 0)
    }
    expect(ways.slice(1)).toEqual([1, 2].map(() => ({ path: 'rebuild', isSmall: true })))
    // They rise, by how much is nobody's guess.
    expect(new Set(epochs).size).toBe(3)
    expect([...epochs].sort((a, b) => a - b)).toEqual(epochs)
    expect((await view(ada)).phrases).toHaveLength(3)
  })
}, 120_000)

type Intents = Replica<typeof intents>

/** One exchange over HTTP, after something was written. */
async function exchange(
  data: string,
  hub: string,
  write: (replica: Intents) => Promise<void> = async () => {},
) {
  const client = await openClient({ data, hub })
  try {
    const replica = await client.open(intents, 'support', { live: false })
    await write(replica)
    return await replica.syncOnce(client.dialOnce ?? undefined)
  } finally {
    await client.close()
  }
}

async function offline<R>(data: string, use: (replica: Intents) => R | Promise<R>): Promise<R> {
  const client = await openClient({ data })
  try {
    return await use(await client.open(intents, 'support'))
  } finally {
    await client.close()
  }
}

async function apply(replica: Intents, phrase: string): Promise<void> {
  if (!replica.tables.intents.has('greet'))
    replica.apply({ type: 'IntentAdded', id: 'greet', phrasesByLang: {} })
  await replica.apply({ type: 'PhraseAdded', intentId: 'greet', phrase, lang: 'en' }).saved
}

function view(data: string): Promise<{ digest: string; phrases: readonly string[]; pending: number }> {
  return offline(data, ({ registers, tables, status }) => ({
    digest: digestOf(registers),
    phrases: Array.from(tables.phrases.entries(), ([key]) => String(key.at(-1))),
    pending: status.pending,
  }))
}

/** Kills a hub that rebuilds when it has come to this step. */
async function killedAt(point: string, data: string): Promise<void> {
  const script = path.join(import.meta.dirname, 'stopping-hub.ts')
  const args = ['--conditions=@rejoin/source', '--import', 'tsx', script, data, 'support', point]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  const said: string[] = []
  for await (const line of createInterface(child.stdout)) {
    said.push(line)
    child.kill('SIGKILL')
  }
  await ended
  expect(said).toEqual([point])
}
