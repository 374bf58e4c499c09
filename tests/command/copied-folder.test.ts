// What the command says of a data folder that was copied: once, to people and programs alike.
import { cp } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { rejoin, rejoinJson, withFolder } from '../support/command.ts'

test('[26] the first command in a copied folder says that it is one, and which id it has from now on', async () => {
  await withFolder(async (folder) => {
    const [laptop, copy] = [path.join(folder, 'laptop'), path.join(folder, 'copy')]
    const add = (data: string, id: string) =>
      rejoin(
        ['apply', '--data', data, '--namespace', 'support'],
        `{"type":"IntentAdded","id":"${id}","phrasesByLang":{}}`,
      )
    await add(laptop, 'greet')
    await cp(laptop, copy, { recursive: true, preserveTimestamps: true })
    const status = ['status', '--namespace', 'support', '--data']
    const before: { replica: string; copyOf: string | null } = await rejoinJson([...status, laptop])
    expect(before.copyOf).toBe(null)

    const { stderr, stdout } = await rejoin([...status, copy])
    const [, id = ''] =
      /support was \S+ and is (\S+) from now on; 1 commit that both hold is sent/.exec(stderr) ?? []
    expect(stderr).toContain(
      `this folder is a copy: the replica of support was ${before.replica} and is ${id}`,
    )
    expect(stdout).toContain(`replica       ${id}`)
    expect(id).not.toBe(before.replica)
    const again = await rejoin([...status, copy])
    expect(again.stderr).toBe('')
    expect(again.stdout).toContain(`replica       ${id}`)
    const { code, stdout: applied } = await add(copy, 'bye')
    expect([code, applied]).toEqual([0, `1: applied as ${id}:2\n`])
  })
})
