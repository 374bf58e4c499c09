// What finds nothing proves nothing: worlds with one broken adapter each, and the rule that says so. The rules inside the engines
// are broken by the mutants.
import { SyncError, type HubStore, type ReplicaStep, type ReplicaStore } from '@rejoin/core'
import { expect, test } from 'vitest'
import { withMembers, type WorldPorts } from 'rejoin/testing'
import { runHistory } from './history.ts'
import { shrunk } from './shrinking.ts'

const SEEDS = 40

const broken: readonly {
  readonly name: string
  readonly rules: readonly number[]
  readonly ports: () => Partial<WorldPorts>
}[] = [
  {
    name: 'a hub store that says appended and is not',
    rules: [3],
    ports: () => ({
      hubStore: (store) => {
        let appends = 0
        return withMembers<HubStore>(store, {
          append: async (namespace, after, body, beyond) => {
            if (++appends % 5 !== 0) return store.append(namespace, after, body, beyond)
            return { kind: 'appended', seq: after + 1 }
          },
        })
      },
    }),
  },
  {
    name: 'a hub store that appends everything twice',
    rules: [5],
    ports: () => ({
      hubStore: (store) =>
        withMembers<HubStore>(store, {
          append: async (namespace, after, body, beyond) => {
            const first = await store.append(namespace, after, body, beyond)
            if (first.kind === 'appended') await store.append(namespace, first.seq, body)
            return first
          },
        }),
    }),
  },
  {
    name: 'a replica that says saved before it is',
    rules: [4],
    ports: () => ({
      replicaStore: (store) =>
        withMembers<ReplicaStore>(store, {
          record: async (steps) => {
            if (steps.some(({ kind }) => kind === 'create' || kind === 'reidentify'))
              return store.record(steps)
            void store.record(steps).catch(() => {})
          },
        }),
    }),
  },
  {
    name: 'a replica store that forgets what came from others',
    rules: [1, 4, 6, 21],
    ports: () => ({
      replicaStore: (store) =>
        withMembers<ReplicaStore>(store, { record: (steps) => store.record(steps.map(emptied)) }),
    }),
  },
  {
    name: 'a replica store that brings an old cursor back',
    rules: [6],
    ports: () => ({
      replicaStore: (store) =>
        withMembers<ReplicaStore>(store, { record: (steps) => store.record(steps.map(turnedBack)) }),
    }),
  },
  {
    name: 'a hub whose disk never works again',
    rules: [21],
    ports: () => {
      let calls = 0
      return {
        hubStore: (store) =>
          withMembers<HubStore>(store, {
            append: async (...call) => {
              if (++calls > 20) throw new SyncError('STORE_UNAVAILABLE', 'it never works again')
              return store.append(...call)
            },
          }),
      }
    },
  },
]

test.each(broken)('$name is found', async ({ rules, ports }) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await runHistory(seed, { ports })
    const [finding] = result.findings
    if (finding === undefined) continue
    if (rules.includes(finding.rule)) return
    expect.fail(`found by another rule: [${finding.rule}] ${finding.what}`)
  }
  expect.fail(`${SEEDS} histories have not found it`)
})

test('a failure is told by fewer steps than it was found with', async () => {
  const { ports } = broken[1] ?? {}
  const options = ports === undefined ? {} : { ports }
  const failed = await runHistory(1, options)
  const { result, tries } = await shrunk(failed, options)
  expect(result.findings[0]?.rule).toBe(5)
  expect(result.lines.length).toBeLessThan(8)
  expect(tries).toBeLessThanOrEqual(400)
})

function emptied(step: ReplicaStep): ReplicaStep {
  return step.kind === 'remote' ? { ...step, updates: [] } : step
}

let remotes = 0

function turnedBack(step: ReplicaStep): ReplicaStep {
  if (step.kind !== 'remote' || ++remotes % 7 !== 0) return step
  return { ...step, cursor: { ...step.cursor, seq: Math.max(0, step.cursor.seq - 2) } }
}
