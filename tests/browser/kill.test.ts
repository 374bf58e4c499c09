// The whole browser killed amid writes, again and again: what was saved is there when its profile is opened again.
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Seeded } from '../support/seeded.ts'
import { startChromium, type RunningChromium } from './chromium.ts'
import { bundle, servePage } from './page-server.ts'
import { closing, program } from './suite.ts'
import { Tab } from './tab.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { idsOf, openHubSide } from './world.ts'

/** `REJOIN_BROWSER_KILLS=50` for a longer run, `REJOIN_SEED` for other moments. */
const rounds = Number(process.env['REJOIN_BROWSER_KILLS'] ?? 5)
/** On a busy machine a start takes seconds. */
const roundMsMax = 30_000

describe.skipIf(program === null)('a browser that is killed', () => {
  test(
    '[3] [4] [5] loses nothing that it had saved, and pushes it once',
    async () => {
      const random = new Seeded(Number(process.env['REJOIN_SEED'] ?? 1))
      const folder = closing(await temporaryFolder()).path
      const { hub, replica } = closing(await openHubSide(folder))
      const server = closing(await servePage(await bundle()))
      const profile = path.join(folder, 'profile')
      const saved: string[] = []
      // Chromium notes late which origins have storage at all: killed amid an origin's first seconds, it may come back without.
      const first = await start(profile)
      await (await Tab.open(first.context, server.origin)).call('open', { name: 'killed' })
      await first.close()
      for (let round = 1; round <= rounds; round++) {
        const chromium = await start(profile)
        const tab = await Tab.open(chromium.context, server.origin)
        await tab.call('open', { name: 'killed' })
        expect(await tab.call('ids')).toEqual(expect.arrayContaining(saved))
        await tab.call('writeOn', `r${round}-`)
        await sleep(random.whole(50, 600))
        await chromium.kill()
        saved.push(...tab.said.flatMap((line) => /^saved (.*)$/.exec(line)?.[1] ?? []))
      }
      const chromium = await start(profile)
      const tab = await Tab.open(chromium.context, server.origin)
      await tab.call('open', { name: 'killed', hub: hub.url })
      const ids = await tab.call('ids')
      expect(ids).toEqual(expect.arrayContaining(saved))
      expect(await tab.call('syncOnce')).toMatchObject({ pushed: ids.length })
      await chromium.close()
      await replica.syncOnce()
      expect(idsOf(replica).toSorted()).toEqual(ids.toSorted())
      expect(saved).not.toEqual([])
      console.log(
        `browser killed: ${rounds} kills, ${saved.length} saved commits looked for, seed ${random.seed}`,
      )
    },
    rounds * roundMsMax,
  )
})

/** Killed at the latest when the test is over. */
async function start(profile: string): Promise<RunningChromium> {
  const chromium = await startChromium(profile)
  closing({ close: chromium.kill })
  return chromium
}
