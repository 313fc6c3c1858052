/* Shifts the wall clock that one program sees, while it runs: CLOCK_REALTIME is the same for all namespaces
 * of a machine, so a lab server's own clock can only differ in what the C library tells its programs. Loaded
 * by LD_PRELOAD through a drop-in of the lab's units, always; the offset is the number of nanoseconds in the
 * file /run/lab/clock-offset (none: 0), looked at again when a reading is older than 10 ms.
 *
 * Shifted: clock_gettime, gettimeofday, time, timespec_get. Absolute deadlines
 * on the wall clock are shifted back before the kernel sees them: clock_nanosleep, sem_timedwait, the pthread
 * waits, timerfd_settime. Not shifted: file times, the journal's stamps, system calls made without the C
 * library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const long kNanosecondsPerSecond = 1000000000L;
static const long long kReadAgainAfterNs = 10000000LL;

/* Looked up on first use: programs read clocks before any constructor of ours has run. */
#define NEXT(name)                                                  \
  __extension__({                                                   \
    static __typeof__(&name) next_;                                 \
    if (!next_) next_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    next_;                                                          \
  })

/* The pthread condition functions have two versions in glibc for x86-64; dlsym may give the old one. */
#define NEXT_CONDITION(name)                                                        \
  __extension__({                                                                   \
    static __typeof__(&name) next_;                                                 \
    if (!next_) next_ = (__typeof__(&name))dlvsym(RTLD_NEXT, #name, "GLIBC_2.3.2"); \
    if (!next_) next_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                 \
    next_;                                                                          \
  })

static long long offset_ns(void) {
  static _Atomic long long offset, read_at;
  struct timespec now;
  NEXT(clock_gettime)(CLOCK_MONOTONIC, &now);
  const long long now_ns = now.tv_sec * (long long)kNanosecondsPerSecond + now.tv_nsec;
  if (now_ns - atomic_load(&read_at) < kReadAgainAfterNs) return atomic_load(&offset);
  const int saved = errno;
  char text[32] = "";
  const int fd = open("/run/lab/clock-offset", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    const ssize_t length = read(fd, text, sizeof text - 1);
    if (length > 0) text[length] = 0;
    close(fd);
  }
  atomic_store(&offset, strtoll(text, NULL, 10));
  atomic_store(&read_at, now_ns);
  errno = saved;
  return atomic_load(&offset);
}

static struct timespec moved(struct timespec t, long long by_ns) {
  long long nsec = t.tv_nsec + by_ns % kNanosecondsPerSecond;
  t.tv_sec += by_ns / kNanosecondsPerSecond;
  if (nsec < 0) {
    nsec += kNanosecondsPerSecond;
    --t.tv_sec;
  } else if (nsec >= kNanosecondsPerSecond) {
    nsec -= kNanosecondsPerSecond;
    ++t.tv_sec;
  }
  t.tv_nsec = nsec;
  return t;
}

static int is_wall_clock(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

/* A condition variable does not tell which clock it waits by; seconds since 1970 are far above seconds since
 * boot. */
static struct timespec deadline_for_kernel(const struct timespec* deadline) {
  const time_t kYear2001 = 1000000000;
  return deadline->tv_sec > kYear2001 ? moved(*deadline, -offset_ns()) : *deadline;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int result = NEXT(clock_gettime)(clock, now);
  if (result == 0 && is_wall_clock(clock)) *now = moved(*now, offset_ns());
  return result;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  struct timespec precise;
  if (zone) NEXT(gettimeofday)(now, zone);
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  *now = (struct timeval){precise.tv_sec, precise.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec* now, int base) {
  if (base != TIME_UTC || clock_gettime(CLOCK_REALTIME, now) != 0) return 0;
  return base;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec* wanted, struct timespec* rest) {
  if (!(flags & TIMER_ABSTIME) || !is_wall_clock(clock))
    return NEXT(clock_nanosleep)(clock, flags, wanted, rest);
  const struct timespec until = moved(*wanted, -offset_ns());
  return NEXT(clock_nanosleep)(clock, flags, &until, rest);
}

int sem_timedwait(sem_t* restrict semaphore, const struct timespec* restrict deadline) {
  const struct timespec until = deadline_for_kernel(deadline);
  return NEXT(sem_timedwait)(semaphore, &until);
}

int pthread_mutex_timedlock(pthread_mutex_t* restrict mutex, const struct timespec* restrict deadline) {
  const struct timespec until = deadline_for_kernel(deadline);
  return NEXT(pthread_mutex_timedlock)(mutex, &until);
}

int pthread_cond_timedwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex,
                           const struct timespec* restrict deadline) {
  const struct timespec until = deadline_for_kernel(deadline);
  return NEXT_CONDITION(pthread_cond_timedwait)(condition, mutex, &until);
}

int pthread_cond_clockwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex,
                           clockid_t clock, const struct timespec* restrict deadline) {
  const struct timespec until = is_wall_clock(clock) ? moved(*deadline, -offset_ns()) : *deadline;
  return NEXT(pthread_cond_clockwait)(condition, mutex, clock, &until);
}

int timerfd_settime(int fd, int flags, const struct itimerspec* wanted, struct itimerspec* before) {
  if (!(flags & TFD_TIMER_ABSTIME) || (wanted->it_value.tv_sec == 0 && wanted->it_value.tv_nsec == 0))
    return NEXT(timerfd_settime)(fd, flags, wanted, before);
  struct itimerspec until = *wanted;
  until.it_value = deadline_for_kernel(&wanted->it_value);
  return NEXT(timerfd_settime)(fd, flags, &until, before);
}
