/** Folders with something of every kind in them, in LevelDB's tables and in its log: what is damaged. */
import { formatHlc, type Commit, type Cursor } from '@rejoin/core'
import { openHubFolder, openReplicaFolder } from '@rejoin/persistence-level/node'
import type { Seeded } from '../../support/seeded.ts'

export type Kind = 'hub' | 'replica'

export async function makeFolder(kind: Kind, path: string, random: Seeded): Promise<void> {
  // Twice: opening anew moves what is in LevelDB's log to a table.
  for (const part of [1, 2])
    await (kind === 'hub' ? fillHub(path, random, part) : fillReplica(path, random, part))
}

async function fillHub(path: string, random: Seeded, part: number): Promise<void> {
  const folder = await openHubFolder(path, {
    newIncarnation: () => `incarnation-${random.whole(0, 2 ** 31)}`,
  })
  const { store } = folder
  const append = async (namespace: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const head = (await store.heads([namespace])).get(namespace)?.head ?? 0
      await store.append(namespace, head, bytes(random, 50, 3_000))
    }
  }
  await append('support', 30)
  await append('other', 4)
  await append(`removed-${part}`, 2)
  await store.remove(`removed-${part}`)
  await store.installCheckpoint('support', {
    seq: 20 * part,
    marks: bytes(random, 100, 300),
    snapshot: bytes(random, 5_000, 20_000),
  })
  await store.trim('support', 5 * part)
  await append('support', 10)
  await folder.close()
}

async function fillReplica(path: string, random: Seeded, part: number): Promise<void> {
  const folder = await openReplicaFolder(path, {
    newIncarnation: () => `incarnation-${random.whole(0, 2 ** 31)}`,
  })
  for (const namespace of ['support', 'other']) {
    const store = folder.replica(namespace)
    if (part === 1) {
      const identity = { replica: 'replica-of-22-letters_', clientId: 7, domain: 'intents', domainVersion: 1 }
      await store.record([{ kind: 'create', identity }])
    }
    const base = (part - 1) * 100
    const snapshot = bytes(random, 5_000, 20_000)
    if (part === 1) await store.record([{ kind: 'snapshot', snapshot, cursor: cursor(base + 1), hlc: null }])
    for (let i = 2; i < 20; i++) {
      const updates = [bytes(random, 50, 500), bytes(random, 50, 500)]
      await store.record([{ kind: 'remote', updates, settled: [], cursor: cursor(base + i), hlc: null }])
    }
    const commits = Array.from({ length: 12 }, (_, i) => commit(base + i + 1, random))
    for (const each of commits) await store.record([{ kind: 'local', commit: each }])
    const [refused, ...kept] = commits
    if (refused === undefined) throw new Error('there are twelve')
    // The second part leaves the first one's values where they are: in the table.
    if (part === 2) continue
    const rejected = [{ commit: refused, code: 'ENTRY_INVALID' as const, message: 'no', path: null }]
    await store.record([{ kind: 'recommit', clientId: 8, outbox: kept, rejected }])
  }
  await folder.close()
}

function bytes(random: Seeded, min: number, max: number): Uint8Array {
  return Uint8Array.from({ length: random.whole(min, max) }, () => random.whole(0, 255))
}

function cursor(seq: number): Cursor {
  return { epoch: 5, seq, tag: '00000000000000aa' }
}

function commit(counter: number, random: Seeded): Commit {
  return {
    id: { replica: 'replica-of-22-letters_', counter },
    prev: counter - 1,
    hlc: formatHlc({ ms: 5, counter, author: 'abcde' }),
    domainVersion: 1,
    ops: [{ type: 'X', text: 'y'.repeat(random.whole(0, 300)) }],
    update: bytes(random, 20, 300),
  }
}
