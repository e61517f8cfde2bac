// Where a mirror keeps its copy: what a store must do, and the simplest that does it.
import type { ContractFieldsFragment, MilestoneFieldsFragment } from './generated/operations.js';

/** Something to be written, all of it or nothing: the order is `contracts`, `milestones`, `gone`. */
export interface MirrorUpdate {
  /** To be written over what is there, by `id`. */
  contracts?: readonly ContractFieldsFragment[];
  milestones?: readonly MilestoneFieldsFragment[];
  /** Identifiers of contracts and milestones to be taken out. */
  gone?: readonly string[];
  /** To be kept with it; left out, the one that is there stays. */
  cursor?: string;
}

/** A copy of contracts and milestones with the cursor up to which it is true. */
export interface MirrorStore {
  /** The cursor that was written last; undefined at first. */
  cursor(): Promise<string | undefined>;
  /** Every contract's and milestone's identifier. */
  ids(): Promise<Set<string>>;
  /** Write it in one transaction. It may come twice. */
  write(update: MirrorUpdate): Promise<void>;
}

/** A copy that is lost with the process. */
export class MemoryMirror implements MirrorStore {
  readonly contracts = new Map<string, ContractFieldsFragment>();
  readonly milestones = new Map<string, MilestoneFieldsFragment>();
  place: string | undefined;

  async cursor(): Promise<string | undefined> {
    return this.place;
  }

  async ids(): Promise<Set<string>> {
    return new Set([...this.contracts.keys(), ...this.milestones.keys()]);
  }

  async write({ contracts = [], milestones = [], gone = [], cursor }: MirrorUpdate): Promise<void> {
    for (const contract of contracts) this.contracts.set(contract.id, contract);
    for (const milestone of milestones) this.milestones.set(milestone.id, milestone);
    for (const id of gone) {
      this.contracts.delete(id);
      this.milestones.delete(id);
    }
    this.place = cursor ?? this.place;
  }
}
