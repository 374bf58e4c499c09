// How much of its log a hub keeps, as said on the command line.
import path from 'node:path'
import { expect, test } from 'vitest'
import { bytesArgument } from '../../packages/rejoin/src/cli/retention-options.ts'
import { rejoin, rejoinJson, withFolder, withHub } from '../support/command.ts'

test.each([
  ['8MB', 8_000_000],
  ['8MiB', 8_388_608],
  ['0', 0],
  ['1GB', 1_000_000_000],
  ['512KiB', 524_288],
  ['1000', 1_000],
])('%s is %i bytes', (text, bytes) => {
  expect(bytesArgument(text)).toBe(bytes)
})

test.each(['', '8 MB', '-1', '1.5MB', '8mb', '99999999GB', 'many'])('"%s" is no size', (text) => {
  expect(() => bytesArgument(text)).toThrow('expected a size such as 8MB')
})

test('a folder is trimmed as it is told: by commits, by bytes, and not while records are young', async () => {
  await withFolder(async (folder) => {
    const [laptop, data] = [path.join(folder, 'laptop'), path.join(folder, 'hub')]
    const support = (at: string): string[] => ['--data', at, '--namespace', 'support']
    await withHub(data, async (hub) => {
      for (const id of ['a', 'b', 'c', 'd']) {
        const ops = JSON.stringify([{ type: 'IntentAdded', id, phrasesByLang: {} }])
        await rejoinJson(['apply', ...support(laptop)], ops)
        await rejoinJson(['sync', ...support(laptop), '--hub', hub])
      }
    })
    const kept = async (...options: string[]): Promise<number> => {
      await rejoinJson(['checkpoint', ...support(data), ...options])
      const commits = (await rejoinJson(['log', ...support(data)])) as unknown[]
      return commits.length
    }
    expect(await kept()).toBe(4)
    expect(await kept('--retention-commits', '1', '--retention-hours', '1')).toBe(4)
    expect(await kept('--retention-commits', '3')).toBe(3)
    expect(await kept('--retention-bytes', '1B')).toBe(1)
    for (const wrong of [
      ['--retention-bytes', '8 MB'],
      ['--retention-hours', '-1'],
      ['--retention-commits', 'x'],
    ]) {
      expect((await rejoin(['checkpoint', ...support(data), ...wrong])).code).toBe(2)
    }
  })
})
