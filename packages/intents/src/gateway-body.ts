/** What thin clients ask for, as JSON (`docs/gateway.md`). Members that are not known are let be, absent ones have defaults. */
import { z } from 'zod'
import { limits } from '@rejoin/core'

export const gatewayLimits = {
  /** Namespaces of one request: as many as one connection may have. */
  namespacesMax: limits.roomsPerConnectionMax,
  /** Corrections of one request, each a commit. */
  correctionsMax: 1_000,
  /** Query log entries of one request: what a client keeps, doubled. */
  logsMax: 1_000,
  /** Ops of one answer, all namespaces together; who lacks more is told to start cold, since a snapshot is then cheaper. */
  opsMax: 10_000,
  /** Characters of those ops as JSON. */
  opsCharsMax: 4 * 1024 * 1024,
} as const

const version = z.int().min(0)
const text = z.string().max(limits.valueBytesMax)
const namespaceId = z.string().max(1_000)

export const queryLogSchema = z.looseObject({
  query: text,
  app_id: z.string().max(1_000),
  session_id: z.string().max(1_000).nullish(),
  detected_intents: z.array(z.json()).max(100).default([]),
  confidence: z.string().max(100).default('none'),
  timestamp_ms: z.number(),
  router_version: z.number().default(0),
})
export type QueryLog = z.output<typeof queryLogSchema>

export const correctionSchema = z.object({
  /** The client's own name for it, given back with its outcome. */
  id: z.string().max(200).optional(),
  namespace: namespaceId,
  query: text,
  wrong_intent: text,
  right_intent: text,
})
export type CorrectionRequest = z.output<typeof correctionSchema>

export const syncRequestSchema = z.object({
  local_versions: z
    .record(namespaceId, version)
    .refine((versions) => Object.keys(versions).length <= gatewayLimits.namespacesMax, {
      message: `at most ${gatewayLimits.namespacesMax} namespaces`,
    })
    .default({}),
  logs: z.array(queryLogSchema).max(gatewayLimits.logsMax).default([]),
  corrections: z.array(correctionSchema).max(gatewayLimits.correctionsMax).default([]),
  tick_interval_secs: z.number().min(0).default(30),
  library_version: z.string().max(200).nullish(),
  supports_delta: z.boolean().default(false),
  oplog_min_version: version.default(0),
})
export type SyncRequest = z.output<typeof syncRequestSchema>

export const snapshotRequestSchema = z.object({
  /** Absent or empty: all. */
  namespace_ids: z.array(namespaceId).max(gatewayLimits.namespacesMax).nullish(),
})
export type SnapshotRequest = z.output<typeof snapshotRequestSchema>
