/** The door of `@rejoin/intents`: the intents domain, ranking, learning, packs. */
export { parseClinc } from './clinc.ts'
export { APPENDED, IntentEdit, intents, NamespaceEdit, type IntentsOp, type IntentsTables } from './domain.ts'
export {
  correctionSchema,
  gatewayLimits,
  snapshotRequestSchema,
  syncRequestSchema,
  type CorrectionRequest,
  type QueryLog,
  type SnapshotRequest,
  type SyncRequest,
} from './gateway-body.ts'
export { correctionOps } from './gateway-correction.ts'
export { GatewayDelta } from './gateway-delta.ts'
export { exportOf, type GatewayExport } from './gateway-export.ts'
export { opOfKind, type KindOp, type VersionedOp } from './gateway-ops.ts'
export { InputError, parseInput } from './input-error.ts'
export { parseJson } from './json-text.ts'
export {
  correct,
  decay,
  DECAY_ALPHA,
  learn,
  LEARN_RATE,
  learningState,
  reinforce,
  type Correction,
  type DecayOptions,
  type LearningState,
} from './learning.ts'
export { DomainName, IntentId, Lang, Phrase, Token } from './names.ts'
export { packOf } from './pack-of.ts'
export { packCommits, sentenceCommits, type Commits } from './pack-ops.ts'
export { type IntentFile, type Json, type NamespaceFile, type Pack } from './pack-schema.ts'
export { readPack, writePack, type PackFiles } from './pack.ts'
export {
  DEFAULT_THRESHOLD,
  rankIntents,
  scoreIntents,
  type Band,
  type Disposition,
  type RankedIntent,
  type Ranking,
  type RankingOptions,
  type ScoredIntent,
} from './ranking.ts'
export { indexOf, rankingDefaults } from './table-index.ts'
export { derivedWeight, PHRASE_RATE, TermIndex, type Posting } from './term-index.ts'
export { queryTerms, terms, type QueryTerms } from './terms.ts'
