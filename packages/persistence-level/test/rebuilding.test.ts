/** A database made anew takes the place of the one it was made of, and of no other. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { rebuildFolder, type RebuiltFolder } from '../src/folder/rebuilding.ts'
import { openHubFolder } from '../src/node.ts'
import { withFolder } from './databases.ts'

const record = new Uint8Array([1])

test('[3] where a hub has opened the folder since, it stays as it is, with what the hub acknowledged', () =>
  withRebuilt(async (path, rebuilt) => {
    const meanwhile = await openHubFolder(path)
    await meanwhile.store.append('support', 1, record)
    // Of another process, which nobody here knows of, it is only to be seen in the files.
    await meanwhile.close()
    await expect(rebuilt.take()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await rebuilt.discard()
    expect(await headIn(path)).toBe(2)
  }))

test('[3] where nobody has, it is there, and what was there before is kept', () =>
  withRebuilt(async (path, rebuilt) => {
    expect(await rebuilt.take()).toBe(join('rejoin.damaged', 'before-repair'))
    expect(await readdir(join(path, 'rejoin.damaged', 'before-repair', 'db'))).toContain('CURRENT')
    expect(await headIn(path)).toBe(1)
  }))

function withRebuilt(run: (path: string, rebuilt: RebuiltFolder) => Promise<void>): Promise<void> {
  return withFolder(async (path) => {
    const folder = await openHubFolder(path)
    await folder.store.append('support', 0, record)
    await folder.close()
    const rebuilt = await rebuildFolder(path, 'LevelDB does not open it')
    if (rebuilt === null) throw new Error('it was not made anew')
    await run(path, rebuilt)
  })
}

async function headIn(path: string): Promise<number | undefined> {
  const folder = await openHubFolder(path)
  try {
    return (await folder.store.heads(['support'])).get('support')?.head
  } finally {
    await folder.close()
  }
}
