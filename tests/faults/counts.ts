/** What a run of faults did and looked at: printed by the runs and noted in `docs/RELIABILITY.md`. */
export interface FaultCounts {
  /** Processes killed, power cuts, damages: one each. */
  readonly faults: number
  /** Commits that were acknowledged or saved and were looked for afterwards. */
  readonly acked: number
  readonly saved: number
  /** Times that a folder was opened after a fault and read whole. */
  readonly opened: number
}

export const noCounts: FaultCounts = { faults: 0, acked: 0, saved: 0, opened: 0 }

export function addCounts(one: FaultCounts, other: FaultCounts): FaultCounts {
  return {
    faults: one.faults + other.faults,
    acked: one.acked + other.acked,
    saved: one.saved + other.saved,
    opened: one.opened + other.opened,
  }
}

export function countsText({ faults, acked, saved, opened }: FaultCounts): string {
  return `${faults} faults, ${acked} acknowledged and ${saved} saved commits looked for, ${opened} openings`
}

/** One history: a folder that goes through several faults. */
export interface History {
  /** Where it may make its folders; left behind where something is wrong. */
  readonly folder: string
  readonly faults: number
  /** True: no further fault. */
  readonly isOver: () => boolean
}
