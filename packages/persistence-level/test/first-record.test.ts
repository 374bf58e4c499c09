// A namespace that is read while its first records are being written is no damaged one.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openHubFolder } from '../src/node.ts'

test('[St4] [13] reads beside the first appends of a namespace see them or not, and raise no alarm', async () => {
  const path = await mkdtemp(join(tmpdir(), 'rejoin-first-'))
  const { store, close } = await openFolder(path)
  try {
    for (let i = 0; i < 120; i++) {
      const name = `n${i}`
      let done = false
      const appended = (async () => {
        for (let after = 0; after < 3; after++) await store.append(name, after, Uint8Array.of(after))
        done = true
      })()
      while (!done) {
        const tail = await store.readTail(name, 0, { records: 10, bytes: 1_000 })
        expect(tail.kind).toBe('records')
      }
      await appended
      expect(await store.append(name, 3, Uint8Array.of(9))).toEqual({ kind: 'appended', seq: 4 })
    }
  } finally {
    await close()
    await rm(path, { recursive: true })
  }
})

async function openFolder(path: string) {
  const folder = await openHubFolder(path)
  return { store: folder.store, close: () => folder.close() }
}
