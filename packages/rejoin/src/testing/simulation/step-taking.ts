/** How a simulated world takes a step of each kind; what crashes and comes back is in `crashing.ts`, who writes in `author.ts`. */
import { unreachable } from '@rejoin/core'
import { rebuildNamespace } from '@rejoin/hub'
import { nth, resolving } from './authoring.ts'
import { apply, discard, withdraw, withReplica, writing } from './author.ts'
import { closeHub, closeReplica, killHub, killReplica, putBack, restore } from './crashing.ts'
import { codeOf } from './authoring.ts'
import type { SimulatedStep } from './step.ts'
import type { WorldParts } from './world-parts.ts'

/** @returns what came of it, in a few words. */
export async function takeStep(parts: WorldParts, step: SimulatedStep): Promise<string> {
  switch (step.kind) {
    case 'apply':
      return apply(parts, step)
    case 'resolve':
      return writing(parts, step.who, (process) => resolving(process, step.pick, step.choice))
    case 'undo':
    case 'redo':
      return writing(
        parts,
        step.who,
        ({ replica }) =>
          () =>
            replica[step.kind](),
      )
    case 'resubmit':
      return writing(parts, step.who, (process) => {
        const { replica } = process
        parts.noteRejected(process)
        const rejected = nth(replica.rejected, step.pick)
        return rejected === undefined ? null : () => replica.resubmit(rejected.commit.id.counter)
      })
    case 'withdraw':
      return withdraw(parts, step.who, step.pick)
    case 'discard':
      return discard(parts, step.who, step.pick)
    case 'sync':
      return sync(parts, step)
    case 'connect':
    case 'disconnect':
      return withReplica(parts, step.who, (process) => {
        process.isLive = step.kind === 'connect'
        process.replica[step.kind]()
        return ''
      })
    case 'deliver': {
      const carried = await parts.pace.carry(step.parcels)
      return carried === step.parcels ? '' : `${carried} were under way`
    }
    case 'pass':
      await parts.pace.pass(step.ms)
      return ''
    case 'partition': {
      const { index } = parts.replicaAt(step.who)
      parts.network.partition(index, step.direction)
      return parts.struck(`partition ${step.direction}`)
    }
    case 'heal':
      return parts.network.heal(parts.replicaAt(step.who).index) ? '' : 'nothing was cut off'
    case 'cut':
      return cut(parts, step)
    case 'late': {
      const isSaid = parts.network.late(parts.replicaAt(step.who).index, step.what)
      return isSaid ? parts.struck(`late ${step.what}`) : 'there was nothing'
    }
    case 'strike': {
      const isStruck = parts.network.strike(parts.replicaAt(step.who).index, step.direction, step.how)
      return isStruck ? parts.struck(`exchange ${step.how} ${step.direction}`) : 'there was none'
    }
    case 'kill':
      return killReplica(parts, parts.replicaAt(step.who), step.power, step.stays)
    case 'killHub':
      return killHub(parts, parts.hubAt(step.hub), step.power, step.stays)
    case 'close':
      return closeReplica(parts, parts.replicaAt(step.who))
    case 'closeHub':
      return closeHub(parts, parts.hubAt(step.hub))
    case 'start': {
      const process = parts.replicaAt(step.who)
      if (process.isOpen) return 'it runs'
      await parts.start(process)
      return process.trouble?.code ?? ''
    }
    case 'startHub': {
      const hub = parts.hubAt(step.hub)
      if (hub.isOpen) return 'it runs'
      hub.start()
      return ''
    }
    case 'disk':
      parts.replicaAt(step.who).disk.set(step.state)
      return step.state === 'works' ? '' : parts.struck(`disk ${step.state}`)
    case 'hubDisk':
      parts.hubAt(step.hub).disk.set(step.state)
      return step.state === 'works' ? '' : parts.struck(`hub disk ${step.state}`)
    case 'clock':
    case 'hubClock': {
      const { wall } = step.kind === 'clock' ? parts.replicaAt(step.who) : parts.hubAt(step.hub)
      wall.aheadMs = step.aheadMs
      wall.standsAt = step.stands ? parts.time.now() + step.aheadMs : null
      return parts.struck(step.stands ? `${step.kind} stands` : `${step.kind} jumps`)
    }
    case 'checkpoint': {
      const hub = parts.runningHub(step.hub)
      const { name } = parts.namespaceAt(step.where)
      return parts.waitFor(hub.hub.checkpoint(name).then(({ seq }) => `up to ${seq}`))
    }
    case 'rebuild':
      return rebuild(parts, step)
    case 'backUp':
      parts.backup = parts.place.backup()
      return ''
    case 'restore':
      return restore(parts, step.marked)
    case 'delete': {
      const { name } = parts.namespaceAt(step.where)
      if (parts.bookOf(name).head === 0) return 'it is not there'
      parts.struck('namespace deleted')
      return parts.waitFor(
        parts
          .runningHub(0)
          .store()
          .remove(name)
          .then(() => ''),
      )
    }
    case 'refuse': {
      const process = parts.replicaAt(step.who)
      if (step.why === 'auth') process.mayWrite = false
      else parts.refusals.ask(process.index, step.commits)
      return parts.struck(`refusal by ${step.why}`)
    }
    case 'allow':
      parts.replicaAt(step.who).mayWrite = true
      return ''
    case 'copy': {
      const process = parts.replicaAt(step.who)
      const copy = parts.newReplica(parts.namespaceOf(process), process.place.copied())
      await parts.start(copy)
      return parts.struck('folder copied', `r${copy.index}`)
    }
    case 'keep': {
      const process = parts.replicaAt(step.who)
      process.backup = process.place.copied()
      return ''
    }
    case 'putBack':
      return putBack(parts, parts.replicaAt(step.who))
    case 'join': {
      const process = parts.newReplica(parts.namespaceAt(step.where))
      await parts.start(process)
      return `r${process.index}`
    }
    default:
      return unreachable(step)
  }
}

function sync(parts: WorldParts, { who, via, waits }: SimulatedStep & { kind: 'sync' }): Promise<string> {
  return withReplica(parts, who, async (process) => {
    const { index, replica } = process
    const dial = via === 'one-shot' ? parts.network.dial(index, 'one-shot') : undefined
    const synced = replica
      .syncOnce(dial)
      .then(({ path, pulled, pushed }) => `${path}, ${pulled} pulled, ${pushed} pushed`, codeOf)
    return waits ? parts.waitFor(synced) : 'begun'
  })
}

function cut(parts: WorldParts, { who, heardBy, after }: SimulatedStep & { kind: 'cut' }): string {
  const { index } = parts.replicaAt(who)
  const link = parts.network.linkOf(index)
  if (link === null) return 'there was none'
  if (after > 0) link.cutAfter = after
  else parts.network.cut(index, heardBy)
  return parts.struck(`cut heard by ${heardBy}`)
}

async function rebuild(
  parts: WorldParts,
  { where, hub, by }: SimulatedStep & { kind: 'rebuild' },
): Promise<string> {
  const { name } = parts.namespaceAt(where)
  const process = parts.runningHub(hub)
  if (parts.bookOf(name).head === 0) return 'it is not there'
  parts.struck(`rebuild by ${by}`)
  if (by === 'hub') return parts.waitFor(process.hub.rebuild(name).then(({ seq }) => `at ${seq}`))
  return parts.waitFor(
    rebuildNamespace(process.store(), parts.ports.updates, name, process.clock).then(
      ({ seq }) => `at ${seq}`,
    ),
  )
}
