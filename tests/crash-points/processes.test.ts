// Real processes and a real disk: SIGKILL right before each call of LevelDB, and the folder opens with all that was answered.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openHubFolder, openReplicaFolder } from '@rejoin/persistence-level/node'
import { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import { bundled } from '../support/bundle.ts'
import { startScript } from '../support/script.ts'
import { plain, readWhole } from './hub-calls.ts'
import { batches, hubCalls } from './killed-calls.ts'

const script = path.join(import.meta.dirname, 'killed-store.ts')
/** Processes at a time. */
const atOnce = 3

type Kind = 'hub' | 'replica'

test.each<[Kind, () => Promise<readonly string[]>, (folder: string) => Promise<string>]>([
  ['hub', hubStates, hubFound],
  ['replica', replicaStates, replicaFound],
])(
  '[3] [4] [13] a process with the folder of a %s, killed before each call of LevelDB: what it answered is there',
  async (kind, statesOf, find) => {
    const states = await statesOf()
    const counted = await withFolder(async (folder) => await runUntil(kind, folder, 0))
    expect(counted.ended).toBe(0)
    const calls = Number.parseInt(counted.lines.at(-1) ?? '', 10)
    expect(calls).toBeGreaterThan(states.length)
    let next = 1
    const worker = async (): Promise<void> => {
      while (next <= calls) {
        const at = next++
        await withFolder(async (folder) => {
          const { ended, lines } = await runUntil(kind, folder, at)
          expect(ended, `killed at call ${at}`).toBe('SIGKILL')
          const found = await find(folder)
          const possible = states.slice(lines.length, lines.length + 2)
          expect(possible, `killed at call ${at}, after ${lines.length} answers`).toContain(found)
        })
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    console.log(`${kind} folder: ${calls} calls of LevelDB, a process killed before each of them`)
  },
  180_000,
)

async function runUntil(
  kind: Kind,
  folder: string,
  at: number,
): Promise<{ readonly ended: number | NodeJS.Signals; readonly lines: readonly string[] }> {
  const lines: string[] = []
  const running = startScript(await bundled(script), [kind, folder, String(at)], {
    onLine: (line) => lines.push(line),
  })
  const ended = await running.ended
  if (running.stderr() !== '') throw new Error(running.stderr())
  return { ended, lines }
}

/** What no call leaves, one, two, and so on. */
async function hubStates(): Promise<readonly string[]> {
  const model = new MapHubStore()
  const states = [await readWhole(model)]
  for (const call of hubCalls) {
    await call.run(model)
    states.push(await readWhole(model))
  }
  return states
}

async function replicaStates(): Promise<readonly string[]> {
  const model = new MapReplicaStore()
  const states = [plain(await model.load())]
  for (const batch of batches) {
    await model.record(batch)
    states.push(plain(await model.load()))
  }
  return states
}

async function hubFound(folder: string): Promise<string> {
  const opened = await openHubFolder(folder, { ballastBytes: 0 })
  const found = await readWhole(opened.store)
  await opened.close()
  return found
}

async function replicaFound(folder: string): Promise<string> {
  const opened = await openReplicaFolder(folder, { ballastBytes: 0 })
  const found = plain(await opened.replica('home').load())
  await opened.close()
  return found
}

async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-killed-'))
  try {
    return await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
