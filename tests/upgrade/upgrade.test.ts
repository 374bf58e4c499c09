/** Folders that earlier releases wrote open, read the same, and go on (`README.md` says how they were made). */
import { cp, mkdtemp, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatHlc, type Commit } from '@rejoin/core'
import { openHubFolder, openReplicaFolder } from '@rejoin/persistence-level/node'
import { intents, openClient, startHub } from 'rejoin'
import { describe, expect, test } from 'vitest'
import { contentOf, hubDescription, storedDescription } from './description.ts'

const releases = ['0.1']

interface Stored {
  readonly counter: number
  readonly notes: object
  readonly outbox: readonly object[]
}

interface Expected {
  readonly hub: unknown
  readonly stored: { readonly support: Stored; readonly steps: Stored }
  readonly content: { readonly pack: unknown; readonly outbox: readonly number[] }
}

describe.each(releases)('folders of release %s', (release) => {
  test('[13] a hub folder reads the same, and its log goes on', () =>
    withCopy(release, async (root, expected) => {
      const folder = await openHubFolder(join(root, 'hub'))
      expect(folder.found).toEqual({ isClosedInOrder: true, batchesLost: 0, logFaults: [] })
      expect(await hubDescription(folder.store)).toEqual(expected.hub)
      expect(await folder.store.append('support', 6, new Uint8Array([1]))).toEqual({
        kind: 'appended',
        seq: 7,
      })
      // A removed namespace stays removed.
      expect(await folder.store.append('gone', 0, new Uint8Array([1]))).toEqual({ kind: 'moved', head: 0 })
      expect(await folder.store.trim('support', 6)).toEqual({ floor: 4, head: 7 })
      await folder.close()
      const again = await openHubFolder(join(root, 'hub'))
      expect(await again.store.heads(['support', 'gone'])).toEqual(
        new Map([['support', { floor: 4, head: 7 }]]),
      )
      expect(await again.store.state('gone')).toBe('removed')
      await again.close()
    }))

  test('[13] a lost end is told by what that release counted', () =>
    withCopy(release, async (root) => {
      const log = join(root, 'hub', 'db', '000006.log')
      // Its last two writes: a batch, and the deletion of what that one no longer names.
      await truncate(log, 60)
      await expect(openHubFolder(join(root, 'hub'))).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/counts \d+ batches where \d+ were written/) as string,
      })
    }))

  test('[4] a replica folder reads the same, and records on', () =>
    withCopy(release, async (root, expected) => {
      const path = join(root, 'replica')
      const folder = await openReplicaFolder(path)
      expect(await folder.namespaces()).toEqual(['gone', 'sales', 'steps', 'support'])
      for (const [namespace, stored] of Object.entries(expected.stored)) {
        // Release 0.1 did not note what it sent: all of it may have been.
        const notes = { sentCounter: stored.counter, ...stored.notes }
        const store = folder.replica(namespace)
        // Nor did it know of copies.
        const copied = { isCopy: false, formerCounter: 0 }
        expect(await storedDescription(store)).toEqual({ ...stored, ...copied, notes })
        await store.record([{ kind: 'local', commit: nextCommit(stored.counter + 1) }])
      }
      await folder.close()
      const again = await openReplicaFolder(path)
      for (const [namespace, { counter, outbox }] of Object.entries(expected.stored)) {
        const stored = await again.replica(namespace).load()
        expect(stored?.outbox.length).toBe(outbox.length + 1)
        expect(stored?.counter).toBe(counter + 1)
      }
      await again.close()
    }))

  test('[4] an app finds its document and its unsent commits, and a hub and new replicas converge on them', () =>
    withCopy(release, async (root, expected) => {
      const hub = await startHub({ data: join(root, 'hub'), domains: [intents], port: 0 })
      const client = await openClient({ data: join(root, 'replica'), hub: hub.url })
      const newcomer = await openClient({ data: join(root, 'newcomer'), hub: hub.url })
      try {
        const support = await client.open(intents, 'support', { live: false })
        expect(contentOf(support)).toEqual(expected.content)
        await support.syncOnce()
        expect(contentOf(support)).toEqual({ ...expected.content, outbox: [] })
        const receipt = support.apply({ type: 'PhraseAdded', intentId: 'greet', phrase: 'after', lang: 'en' })
        await support.syncOnce()
        await receipt.acked
        const other = await newcomer.open(intents, 'support', { live: false })
        await other.syncOnce()
        expect(contentOf(other)).toEqual(contentOf(support))
        expect(other.tables.intents.get('late')).toBeDefined()
      } finally {
        await newcomer.close()
        await client.close()
        await hub.close()
      }
    }))
})

async function withCopy(
  release: string,
  run: (root: string, expected: Expected) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'rejoin-upgrade-'))
  try {
    const kept = join(import.meta.dirname, release)
    await cp(kept, root, { recursive: true })
    await run(root, JSON.parse(await readFile(join(kept, 'expected.json'), 'utf8')) as Expected)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

function nextCommit(counter: number): Commit {
  return {
    id: { replica: 'replica-of-22-letters_', counter },
    prev: counter - 1,
    hlc: formatHlc({ ms: 5, counter, author: 'abcde' }),
    domainVersion: 1,
    ops: [{ type: 'X' }],
    update: new Uint8Array([counter]),
  }
}
