// Names what many modules speak of, so that none has to say where it comes from, and says what some of it is made of. Browsers never
// load this.
type Answer = import("./api.js").Answer;
type Api = import("./api.js").Api;
type Failed = import("./api.js").Failed;
type Refusal = import("./api.js").Refusal;
type Children = import("./dom.js").Children;
type Described = import("./dom.js").Described;
type EarnestElement = import("./element.js").EarnestElement;
type Money = import("./money.js").Money;
type Connection = import("./stream.js").Connection;
/** What a described element has: listeners take whatever event comes. */
type Props = { [listener: `on${string}`]: ((event: any) => unknown) | null | undefined; [name: string]: any };

/** How a value is typed in. */
type FieldKind = "text" | "line" | "links" | "files" | "money" | "split" | "choice" | "token" | "date" | "lines" | "number" | "rows";

interface Field {
  /** Its name in the input. */
  name: string;
  kind: FieldKind;
  required?: boolean;
  /** Of a choice. */
  options?: string[];
  /** The object of the input that it belongs to. */
  group?: string;
  /** The field without which it means nothing, and isn't shown. */
  beside?: string;
}

/** What a form is about. */
interface Situation {
  contract: Answer;
  subject: Answer;
  viewer: Answer;
}

interface Command {
  mutation: string;
  /** The field of the input that names what it is done to. */
  subject: string;
  fields: Field[];
  /** Whether its preview has to be seen first. */
  movesMoney?: boolean;
  /** Which mode of the plan editor takes its input. */
  plan?: "revise" | "change";
  /** What else the input says. */
  given?: (situation: Situation) => Answer;
}

/** What somebody has typed as an amount of a currency, in the reader's locale. */
type Reading = (typed: string) => Money;

/** A milestone as it is being written. */
interface Row {
  /** Names the row while it is edited. */
  key: string;
  /** Of the milestone that it is; null for a new one. */
  id: string | null;
  state: string;
  title: string;
  purpose: string;
  amount: string;
  dueOn: string;
  deliverables: string;
  isRemoved: boolean;
}

/** The answer with a milestone in its place that the stream told with an event: it shows before all of it is asked again. */
type Piece = (data: Answer, milestone: Answer) => Answer;

interface Watcher {
  /** What to ask, with `$id` for the contract; null if only events are wanted. */
  document: string | null;
  /** What else the document takes. */
  variables?: Answer;
  /** How what an event touched is put into the answer. */
  piece?: Piece;
  /** Called where only events are wanted, once it is known from where on they are told, and again after a cut of the log: what was before is the watcher's to ask for. */
  onBegun?: () => void;
  /** Each answer; the very same object as before, if nothing of it has changed. */
  onData?: (data: Answer) => void;
  /** Each event of the contract from the start on, in order, each once. */
  onEvent?: (event: Answer) => void;
  onFailure?: (error: Failed) => void;
  onConnection?: (connection: Connection) => void;
}
