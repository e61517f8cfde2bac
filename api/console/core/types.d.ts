// Names what many modules speak of, so that none has to say where it comes from. Browsers never load this.
type Answer = import("./api.js").Answer;
type Api = import("./api.js").Api;
type Failed = import("./api.js").Failed;
type Refusal = import("./api.js").Refusal;
type Command = import("./commands.js").Command;
type Field = import("./commands.js").Field;
type FieldKind = import("./commands.js").FieldKind;
type Situation = import("./commands.js").Situation;
type Children = import("./dom.js").Children;
type Described = import("./dom.js").Described;
type EarnestElement = import("./element.js").EarnestElement;
type Money = import("./money.js").Money;
type Row = import("./plans.js").Row;
type Connection = import("./stream.js").Connection;
type Watcher = import("./watching.js").Watcher;
/** What a described element has: listeners take whatever event comes. */
type Props = { [listener: `on${string}`]: ((event: any) => unknown) | null | undefined; [name: string]: any };
