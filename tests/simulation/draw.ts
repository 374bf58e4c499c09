/**
 * A history drawn from one number: of which processes and kinds of faults its world is made, and its steps. Steps are drawn
 * beforehand and look at nothing, so that any of them can be left out and the rest means the same.
 */
import type { Durability } from '@rejoin/core'
import { Chance, type SimulatedStep, type SimulatedStepKind } from 'rejoin/testing'
import { simulatedDomains, type SimulatedDomain } from './domains.ts'

/**
 * What a history is about, beside writing, exchanging, and all that networks, disks, clocks and crashes do. Not everything at
 * once: a rebuild after a restored backup, for one, may rightly shut a replica out, and then less could be demanded.
 */
export type Theme =
  | 'rebuilds'
  | 'restores'
  | 'hub loses power'
  | 'replicas lose power'
  | 'copies'
  | 'refusals'
  | 'deletion'

export interface Shape {
  readonly theme: Theme
  readonly hubs: number
  readonly hubDurability: Durability
  readonly replicaDurability: Durability
  readonly retentionCommits: number
  readonly namespaces: readonly { readonly domain: SimulatedDomain; readonly replicas: number }[]
}

export interface DrawnHistory {
  readonly seed: number
  readonly shape: Shape
  readonly steps: readonly SimulatedStep[]
}

const themes: readonly Theme[] = [
  'rebuilds',
  'rebuilds',
  'restores',
  'restores',
  'hub loses power',
  'replicas lose power',
  'copies',
  'refusals',
  'refusals',
  'deletion',
]

/** How often each kind is met: out of their sum. */
const weights: Readonly<Partial<Record<SimulatedStepKind, number>>> = {
  apply: 300,
  deliver: 200,
  sync: 100,
  connect: 45,
  disconnect: 8,
  pass: 25,
  resolve: 25,
  undo: 15,
  redo: 8,
  withdraw: 8,
  partition: 12,
  heal: 16,
  cut: 20,
  late: 18,
  strike: 3,
  kill: 14,
  killHub: 6,
  close: 5,
  closeHub: 3,
  start: 8,
  startHub: 6,
  disk: 22,
  hubDisk: 16,
  clock: 6,
  hubClock: 3,
  checkpoint: 14,
  join: 1,
}

const ofThemes: Readonly<Record<Theme, Readonly<Partial<Record<SimulatedStepKind, number>>>>> = {
  rebuilds: { rebuild: 14 },
  restores: { backUp: 12, restore: 10 },
  'hub loses power': { killHub: 16 },
  'replicas lose power': { kill: 30 },
  copies: { copy: 4, keep: 10, putBack: 8, withdraw: 0 },
  refusals: { refuse: 10, allow: 10, discard: 6, resubmit: 8, rebuild: 5 },
  deletion: { delete: 1 },
}

export function drawHistory(seed: number, steps = 200): DrawnHistory {
  const chance = new Chance(seed)
  const shape = drawShape(chance)
  const drawer = new StepDrawer(chance, shape)
  const beginning = drawer.beginning()
  const drawn = [...beginning]
  while (drawn.length < steps) drawn.push(...drawer.next())
  // Each draws for itself, so that leaving one out changes no other.
  return { seed, shape, steps: drawn.slice(0, steps).map((step) => ({ ...step, draws: chance.uint32() })) }
}

function drawShape(chance: Chance): Shape {
  const theme = chance.pick(themes)
  const domains = chance.isIn(25) ? simulatedDomains : [chance.pick(simulatedDomains)]
  return {
    theme,
    hubs: theme === 'hub loses power' || chance.isIn(75) ? 1 : 2,
    hubDurability: theme === 'hub loses power' ? 'applied' : 'durable',
    replicaDurability: theme === 'replicas lose power' ? 'applied' : 'durable',
    retentionCommits: chance.pick([1, 3, 10, 1_000]),
    namespaces: domains.map((domain) => ({
      domain,
      replicas: chance.between(2, domains.length === 1 ? 4 : 2),
    })),
  }
}

class StepDrawer {
  readonly #chance: Chance
  readonly #shape: Shape
  readonly #kinds: readonly { readonly kind: SimulatedStepKind; readonly upTo: number }[]
  readonly #weight: number
  /** By replica: which domain it writes. */
  readonly #domains: readonly SimulatedDomain[]

  constructor(chance: Chance, shape: Shape) {
    this.#chance = chance
    this.#shape = shape
    const all = Object.entries({ ...weights, ...ofThemes[shape.theme] }) as [SimulatedStepKind, number][]
    let upTo = 0
    this.#kinds = all.map(([kind, weight]) => ({ kind, upTo: (upTo += weight) }))
    this.#weight = upTo
    this.#domains = shape.namespaces.flatMap(({ domain, replicas }) =>
      Array.from({ length: replicas }, () => domain),
    )
  }

  /** Most are connected from the start. */
  beginning(): readonly SimulatedStep[] {
    return this.#domains.flatMap((_, who) =>
      this.#chance.isIn(75) ? [{ kind: 'connect' as const, who }] : [],
    )
  }

  /** One step, or some that belong together: alone they would seldom meet what they are for. */
  next(): readonly SimulatedStep[] {
    const at = this.#chance.below(this.#weight)
    const found = this.#kinds.find(({ upTo }) => at < upTo)
    const step = this.#stepOf(found?.kind ?? 'apply')
    return [step, ...this.#consequences(step)]
  }

  #consequences(step: SimulatedStep): readonly SimulatedStep[] {
    const chance = this.#chance
    switch (step.kind) {
      case 'sync':
        // What is struck is an exchange amid its way.
        if (step.waits || step.via === 'live' || !chance.isIn(60)) return []
        return [this.#few(0), { ...this.#stepOf('strike'), who: step.who } as SimulatedStep, this.#few(2)]
      case 'cut':
        // A replica that has gone without the hub's knowing: what it said last comes behind what it says next.
        if (step.heardBy !== 'replica' || !chance.isIn(60)) return []
        return [
          this.#apply(step.who),
          { kind: 'pass', ms: 300 },
          this.#few(4),
          { kind: 'late', who: step.who, what: 'rest' },
        ]
      case 'apply':
        // Two meet at one place.
        return chance.isIn(25)
          ? [{ ...step, who: chance.below(this.#domains.length) }].filter((other) =>
              this.#isAlike(other, step),
            )
          : []
      case 'disk':
        return isFault(step.state) && chance.isIn(70)
          ? [this.#apply(step.who), this.#few(2), { ...step, state: 'works' }]
          : []
      case 'hubDisk':
        return isFault(step.state) && chance.isIn(70)
          ? [this.#apply(chance.below(this.#domains.length)), this.#few(4), { ...step, state: 'works' }]
          : []
      case 'backUp':
        return [this.#apply(chance.below(this.#domains.length)), this.#few(6)]
      default:
        return []
    }
  }

  #isAlike({ who }: { readonly who: number }, step: SimulatedStep & { kind: 'apply' }): boolean {
    return who !== step.who && this.#domains[who] === this.#domains[step.who]
  }

  #apply(who: number): SimulatedStep {
    return { ...this.#stepOf('apply'), who, ...this.#domains[who]?.draw(this.#chance) } as SimulatedStep
  }

  #few(min: number): SimulatedStep {
    return { kind: 'deliver', parcels: this.#chance.between(min, min + 4) }
  }

  #stepOf(kind: SimulatedStepKind): SimulatedStep {
    const chance = this.#chance
    const who = chance.below(this.#domains.length)
    const hub = chance.below(this.#shape.hubs)
    const where = chance.below(this.#shape.namespaces.length)
    const pick = chance.below(4)
    switch (kind) {
      case 'apply':
        return { kind, who, ...(this.#domains[who] ?? simulatedDomains[0])?.draw(chance) } as SimulatedStep
      case 'resolve':
        return { kind, who, pick, choice: chance.below(4) }
      case 'undo':
      case 'redo':
      case 'connect':
      case 'disconnect':
      case 'heal':
      case 'close':
      case 'start':
      case 'allow':
      case 'copy':
      case 'keep':
      case 'putBack':
        return { kind, who }
      case 'withdraw':
      case 'discard':
      case 'resubmit':
        return { kind, who, pick }
      case 'sync':
        return { kind, who, via: chance.isIn(60) ? 'live' : 'one-shot', waits: chance.isIn(50) }
      case 'deliver':
        return { kind, parcels: chance.between(1, 16) }
      case 'pass':
        return { kind, ms: chance.pick([10, 300, 6_000, 31_000]) }
      case 'partition':
        return { kind, who, direction: chance.pick(['both', 'up', 'down'] as const) }
      case 'cut':
        return {
          kind,
          who,
          heardBy: chance.pick(['both', 'replica', 'hub'] as const),
          after: chance.pick([0, 0, 1, 3]),
        }
      case 'late':
        return { kind, who, what: chance.pick(['rest', 'again'] as const) }
      case 'strike':
        return {
          kind,
          who,
          direction: chance.pick(['up', 'down'] as const),
          how: chance.pick(['lost', 'twice'] as const),
        }
      case 'kill':
        return { kind, who, power: chance.isIn(40), stays: chance.isIn(25) }
      case 'killHub':
        return { kind, hub, power: chance.isIn(40), stays: chance.isIn(25) }
      case 'closeHub':
      case 'startHub':
        return { kind, hub }
      case 'disk':
        return { kind, who, state: chance.pick(diskStates) }
      case 'hubDisk':
        return { kind, hub, state: chance.pick(diskStates) }
      case 'clock':
        return { kind, who, aheadMs: chance.pick(aheads), stands: chance.isIn(20) }
      case 'hubClock':
        return { kind, hub, aheadMs: chance.pick(aheads), stands: chance.isIn(20) }
      case 'checkpoint':
        return { kind, where, hub }
      case 'rebuild':
        return { kind, where, hub, by: chance.pick(['hub', 'hub', 'another'] as const) }
      case 'backUp':
        return { kind }
      case 'restore':
        return { kind, marked: chance.isIn(60) }
      case 'delete':
      case 'join':
        return { kind, where }
      case 'refuse':
        return { kind, who, why: chance.isIn(70) ? 'schema' : 'auth', commits: chance.between(1, 3) }
      default:
        throw new Error(`no weight for ${String(kind)}`)
    }
  }
}

function isFault(state: string): boolean {
  return state !== 'works' && state !== 'slow'
}

/** More often than not a disk comes back: it heals by itself. */
const diskStates = ['works', 'works', 'works', 'slow', 'slow', 'stalls', 'fails', 'unsure', 'full'] as const
const DAY_MS = 24 * 60 * 60 * 1_000
const aheads = [-DAY_MS, -60_000, -1, 0, 0, 1, 60_000, DAY_MS]
