// Columns of the payload: arrays of numbers, encoded as base64 of little-endian bytes.

const TYPES = {
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
};

/** Read one encoded array as a typed array; 64-bit integers become float64, which is exact up to 2^53. */
export function decode(encoded) {
  const type = TYPES[encoded.dtype];
  if (!type) throw new Error(`The page cannot read columns of type ${encoded.dtype}.`);
  const text = atob(encoded.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const values = new type(bytes.buffer);
  return values instanceof BigInt64Array || values instanceof BigUint64Array ? Float64Array.from(values, Number) : values;
}

/** Columns of one length, by name. */
export class Table {
  constructor(columns) {
    this.columns = {};
    this.size = 0;
    for (const [name, encoded] of Object.entries(columns)) {
      this.columns[name] = decode(encoded);
      this.size = this.columns[name].length;
    }
    this.rows = null;
  }

  get(name) {
    return this.columns[name];
  }

  /** Row of an id, or -1. The index is made at the first question. */
  rowOf(id) {
    if (!this.rows) {
      this.rows = new Map();
      const ids = this.columns.id;
      for (let i = 0; i < ids.length; i++) this.rows.set(ids[i], i);
    }
    return this.rows.get(id) ?? -1;
  }
}

/** Weights and gradients over epochs, by edge id. */
export class History {
  constructor(raw) {
    this.epochs = decode(raw.epochs);
    this.ids = decode(raw.edge_ids);
    this.weight = decode(raw.weight);
    this.gradient = raw.gradient ? decode(raw.gradient) : null;
    this.places = null;
  }

  /** Values of an edge, one per epoch, or null. */
  series(name, id) {
    if (!this.places) {
      this.places = new Map();
      for (let i = 0; i < this.ids.length; i++) this.places.set(this.ids[i], i);
    }
    const at = this.places.get(id);
    if (at === undefined || !this[name]) return null;
    return Array.from(this.epochs, (_, k) => this[name][k * this.ids.length + at]);
  }
}

/** A number for people: counts with commas, values with four digits. */
export function format(value) {
  if (typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "missing";
  if (!Number.isFinite(value)) return value > 0 ? "infinity" : "-infinity";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** A count with its noun: "1 edge", "2 edges". */
export function count(number, noun) {
  const many = noun === "vertex" ? "vertices" : noun === "match" ? "matches" : noun === "miss" ? "misses" : noun + "s";
  return `${format(number)} ${number === 1 ? noun : many}`;
}
