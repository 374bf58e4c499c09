// Commands on every namespace of a hub's folder: one that is closed by damage keeps none of the others from it, and all is told.
import path from 'node:path'
import { expect, test } from 'vitest'
import { rejoin, rejoinJson } from '../support/command-here.ts'
import { withFolder, withHub } from '../support/command.ts'
import { flipValue, hubKey } from '../support/strike.ts'

test.each([
  {
    command: ['rebuild', '--all', '--forget-replicas', '90d'],
    did: /epoch \d+ .*forgotten/,
    done: 'rebuilt',
  },
  { command: ['checkpoint'], did: /checkpoint at seq/, done: 'folded' },
])(
  '[13] $command does the others where a namespace is damaged, tells both, and ends with 1',
  async ({ command, did, done }) => {
    await withFolder(async (folder) => {
      const [laptop, hub] = [path.join(folder, 'laptop'), path.join(folder, 'hub')]
      const ops = JSON.stringify([[{ type: 'IntentAdded', id: 'a', phrasesByLang: {} }]])
      const names = ['aa', 'bb', 'cc']
      await withHub(hub, async (url) => {
        for (const name of names) {
          const at = ['--data', laptop, '--namespace', name]
          await rejoinJson(['apply', ...at], ops)
          await rejoinJson(['sync', ...at, '--hub', url])
        }
      })
      await flipValue(hub, hubKey('record', 'bb', 1))

      const json = await rejoin([...command, '--data', hub, '--json'])
      expect(json.code).toBe(1)
      expect(JSON.parse(json.stdout)).toMatchObject([
        { namespace: 'aa', snapshotBytes: expect.any(Number) as number },
        { namespace: 'bb', error: { code: 'STORE_CORRUPT' } },
        { namespace: 'cc', snapshotBytes: expect.any(Number) as number },
      ])
      const { code, stdout, stderr } = await rejoin([...command, '--data', hub])
      expect(code).toBe(1)
      const lines = stdout.trim().split('\n')
      expect(lines.map((line) => line.slice(0, 4))).toEqual(['aa: ', 'cc: '])
      for (const line of lines) expect(line).toMatch(did)
      expect(stderr).toMatch(new RegExp(`^rejoin: bb was not ${done}: .* \\[STORE_CORRUPT\\]$`, 'm'))

      // Named alone, it fails as every command does.
      const alone = command.filter((word) => word !== '--all')
      const one = await rejoin([...alone, '--data', hub, '--namespace', 'bb'])
      expect(one).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/\[STORE_CORRUPT\]\n$/) as string,
      })
    })
  },
)
