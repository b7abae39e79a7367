// Histogram buckets of powers of two: bucket b holds [2^b, 2^(b+1)), and bucket 0 also zero.

export interface Bar {
  bucket: number;
  value: number;
}

/// The buckets between the first and the last that hold anything, empty ones between them included.
export function filled(values: readonly number[]): Bar[] {
  const first = values.findIndex((value) => value > 0);
  if (first < 0) {
    return [];
  }
  let last = values.length - 1;
  while (!values[last]) {
    last -= 1;
  }
  return values.slice(first, last + 1).map((value, at) => ({ bucket: first + at, value }));
}

/// Dense values from the sparse form of the document: bucket, count, bucket, count ...
export function dense(sparse: readonly number[], size: number): number[] {
  const values = new Array<number>(size).fill(0);
  for (let at = 0; at + 1 < sparse.length; at += 2) {
    values[sparse[at] as number] = sparse[at + 1] as number;
  }
  return values;
}

/// The sum of a sparse histogram.
export function sum_of(sparse: readonly number[]): number {
  return sparse.reduce((sum, value, at) => sum + (at % 2 === 1 ? value : 0), 0);
}

/// "16 B to 31 B" for sizes, "1.02 µs to 2.05 µs" for times.
export function range_of(bucket: number, format: (value: number) => string, whole: boolean): string {
  const low = bucket === 0 ? 0 : 2 ** bucket;
  const high = 2 ** (bucket + 1);
  return whole ? `${format(low)} to ${format(high - 1)}` : `${format(low)} to ${format(high)}`;
}

export const BUCKETS = 48;
