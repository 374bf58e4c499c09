/** How much one principal, address or namespace may have, open and send, as `rejoin hub --limit` takes it. */
import { InvalidArgumentError, type Command } from 'commander'
import { limits } from '@rejoin/core'
import { defaultPeerLimits, type PeerLimits } from '@rejoin/transport/server'
import type { HubOptions } from '../wiring/hub.ts'

/** `documentBytes`: of one namespace's document; `replicas`: ids that it knows, and of one principal. */
type HubLimits = PeerLimits & {
  readonly documentBytes: number
  readonly replicas: number
  readonly replicasPerPrincipal: number
}

const defaults: HubLimits = {
  ...defaultPeerLimits,
  documentBytes: limits.documentBytesMax,
  replicas: limits.replicasMax,
  replicasPerPrincipal: limits.replicasPerPrincipalMax,
}

export interface LimitOptions {
  readonly limit: Partial<HubLimits>
}

/** As `startHub` takes them. */
export function hubLimits(
  limit: Partial<HubLimits>,
): Pick<HubOptions, 'peerLimits' | 'documentBytesMax' | 'replicaLimits'> {
  const { documentBytes, replicas, replicasPerPrincipal, ...peerLimits } = limit
  const replicaLimits = {
    ...(replicas === undefined ? {} : { replicasMax: replicas }),
    ...(replicasPerPrincipal === undefined ? {} : { replicasPerPrincipalMax: replicasPerPrincipal }),
  }
  return {
    peerLimits,
    ...(documentBytes === undefined ? {} : { documentBytesMax: documentBytes }),
    ...(Object.keys(replicaLimits).length === 0 ? {} : { replicaLimits }),
  }
}

/** `connections=50`, or of a rate `commits=100/1000`: so many a second, and so many at once after a rest. */
export function withLimits(command: Command): Command {
  return command.option(
    '--limit <name=value>',
    `what one principal, address or namespace may have and send; repeat it for several (docs/sign-in.md). By default ${defaultsText()}`,
    limitArgument,
    {},
  )
}

function limitArgument(text: string, before: Partial<HubLimits>): Partial<HubLimits> {
  const [, name = '', perSecond = '', burst] = /^([a-zA-Z]+)=(\d{1,12})(?:\/(\d{1,12}))?$/.exec(text) ?? []
  const known = nameOf(name)
  const isRate = burst !== undefined
  if (known === null || isRate !== (typeof defaults[known] !== 'number'))
    throw new InvalidArgumentError(`expected one of ${defaultsText()}`)
  if (!isRate) return { ...before, [known]: Number(perSecond) }
  const rate = { perSecond: Number(perSecond), burst: Number(burst) }
  if (rate.perSecond < 1 || rate.burst < 1) throw new InvalidArgumentError('a rate is at least 1/1')
  return { ...before, [known]: rate }
}

function nameOf(text: string): keyof HubLimits | null {
  return names().find((name) => name === text) ?? null
}

function names(): readonly (keyof HubLimits)[] {
  // Exactly these: it is declared as what it is.
  return Object.keys(defaults) as (keyof HubLimits)[]
}

function defaultsText(): string {
  const texts = names().map((name) => {
    const value = defaults[name]
    return `${name}=${typeof value === 'number' ? value : `${value.perSecond}/${value.burst}`}`
  })
  return texts.join(', ')
}
