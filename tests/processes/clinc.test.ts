// Real input at its real size: CLINC150, which lies beside the repository and not in it.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { checkout, rejoinJson, withFolder, withHub } from '../support/command.ts'

const data = process.env['REJOIN_DATA'] ?? path.join(checkout, '../shared/data')
const file = path.join(data, 'clinc150/data_full.json')
const sentence = 'can you tell me how to report a lost credit card'

if (!existsSync(file))
  console.log('CLINC150 is not beside the repository (shared/data/clinc150): its test is left out')

test.runIf(existsSync(file))(
  'CLINC150 is imported as a handful of commits and routes alike on a second replica',
  async () => {
    await withFolder(async (folder) => {
      const support = (name: string): string[] => ['--data', path.join(folder, name), '--namespace', 'clinc']
      const imported = await rejoinJson(['import', ...support('first'), file])
      expect(imported).toMatchObject({ commits: 5, intents: 151, phrases: 23_699 })
      await withHub(path.join(folder, 'hub'), async (hub) => {
        expect(await rejoinJson(['sync', ...support('first'), '--hub', hub])).toMatchObject({ pushed: 5 })
        await rejoinJson(['sync', ...support('second'), '--hub', hub])
      })
      const routed = (name: string): Promise<{ intents: { id: string; score: number }[] }> =>
        rejoinJson(['resolve', ...support(name), sentence])
      const [first, second] = [await routed('first'), await routed('second')]
      expect(first.intents[0]?.id).toBe('report_lost_card')
      expect(second).toEqual(first)
      expect(await rejoinJson(['digest', ...support('second')])).toEqual(
        await rejoinJson(['digest', ...support('first')]),
      )
    })
  },
)
