/**
 * `kill -9` of a writing, live replica at moments drawn from a seed: while it opens, while it saves, sends and receives.
 * What it said is saved or acknowledged is noted here; after each kill its folder opens, holds or has sent every saved
 * commit, and after one exchange reads the same as a replica that was never killed (invariants 1, 4 and 5).
 */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { intents, openClient, startHub, type RunningHub } from 'rejoin'
import { bundled } from '../support/bundle.ts'
import { startScript, type RunningScript } from '../support/script.ts'
import type { Seeded } from '../support/seeded.ts'
import { until, within } from '../support/until.ts'
import { Bystander, checkConverged, phrasesOf } from './bystander.ts'
import { CommitLedger } from './commit-ledger.ts'
import type { FaultCounts, History } from './counts.ts'
import { checkCrash, checkHubFolder } from './hub-folder-check.ts'

export async function killReplica(random: Seeded, { folder, faults, isOver }: History): Promise<FaultCounts> {
  const script = await bundled(path.join(import.meta.dirname, 'processes/replica.ts'))
  const data = path.join(folder, 'victim')
  const hubData = path.join(folder, 'hub')
  const [victims, others] = [new CommitLedger(), new CommitLedger()]
  const hub = await startHub({
    data: hubData,
    domains: [intents],
    port: 0,
    retention: { commits: random.pick([20, 1_000_000]) },
  })
  const bystander = await Bystander.open('bystander', path.join(folder, 'bystander'), hub.url, others)
  let [kills, opened] = [0, 0]
  try {
    await bystander.begin()
    for (let round = 0; round < faults && !isOver(); round++) {
      const isOffline = random.chance(0.25)
      const name = `victim-${round}`
      const args = [data, isOffline ? 'offline' : hub.url, name]
      let heard = 0
      const victim = startScript(script, args, {
        onLine: (line) => {
          heard++
          victims.hear(line)
        },
      })
      let isKilled = false
      // So that there is something to receive.
      const writing = bystander.write(() => isKilled || isOffline)
      await reachMoment(victim, random, () => heard)
      await within('the replica is gone', victim.stop('SIGKILL'))
      isKilled = true
      kills++
      await writing
      if (victim.stderr() !== '') throw new Error(`the replica complained: ${victim.stderr()}`)
      await checkVictim(data, hub, bystander, victims)
      others.checkReadable(phrasesOf(bystander.replica), 'saved')
      opened++
    }
    await hub.close()
    await checkHubFolder(hubData, victims)
    return { faults: kills, opened: opened + 1, ...victims.counts }
  } finally {
    await bystander.close()
    await hub.close()
  }
}

/** Some kills come while it opens, the others after some words of it and a little longer. */
async function reachMoment(victim: RunningScript, random: Seeded, heard: () => number): Promise<void> {
  if (random.chance(0.2)) return await sleep(random.whole(0, 500))
  const lines = random.whole(1, 150)
  const delayMs = random.whole(0, 12)
  await within('the replica is open', victim.first)
  await Promise.race([until('the replica saves', () => heard() >= lines), victim.ended])
  await sleep(delayMs)
}

async function checkVictim(
  data: string,
  hub: RunningHub,
  bystander: Bystander,
  victims: CommitLedger,
): Promise<void> {
  const client = await openClient({ data, hub: hub.url })
  try {
    checkCrash(client.found)
    const replica = await client.open(intents, 'support', { live: false })
    // Before anything is exchanged: what was saved is read here, sent or not.
    victims.checkReadable(phrasesOf(replica), 'saved')
    await within('the victim has caught up', replica.syncOnce(client.dialOnce ?? undefined))
    await bystander.isSettled()
    await within('the victim has what came last', replica.syncOnce(client.dialOnce ?? undefined))
    await checkConverged([bystander.replica, replica])
    victims.checkReadable(phrasesOf(bystander.replica), 'saved')
    const { faults } = await hub.verify('support')
    if (faults.length > 0) throw new Error(`faults in the hub's log: ${JSON.stringify(faults)}`)
  } finally {
    await client.close()
  }
}
