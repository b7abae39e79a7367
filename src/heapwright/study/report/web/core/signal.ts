// A value that tells its watchers when it changes: how the views of the page follow one another.

export class Signal<T> {
  private readonly watchers_: ((value: T) => void)[] = [];

  constructor(private value_: T) {}

  get value(): T {
    return this.value_;
  }

  set(value: T): void {
    if (value !== this.value_) {
      this.value_ = value;
      for (const watcher of this.watchers_) {
        watcher(value);
      }
    }
  }

  /// Calls `watcher` at every change from now on.
  watch(watcher: (value: T) => void): void {
    this.watchers_.push(watcher);
  }
}
