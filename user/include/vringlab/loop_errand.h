/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errands: other threads have something done on a loop's thread, and wait for it.
 */
#ifndef VRINGLAB_LOOP_ERRAND_H
#define VRINGLAB_LOOP_ERRAND_H

struct loop;
struct loop_errands;
struct vl_err;

/**
 * typedef loop_errand_fn - What is to be done
 * @ctx:	As given to loop_errand(), whose caller waits: may be on its stack.
 *
 * Context: the loop's thread, as a handler.
 * Return: what loop_errand() shall return; not -ECANCELED.
 */
typedef int loop_errand_fn(void *ctx);

/**
 * loop_errands_create() - Let other threads have errands done
 * @errands:	Set on success only.
 * @loop:	Loop, which is to run as long as somebody may wait.
 * @err:	What went wrong, may be NULL.
 *
 * Context: the loop's thread.
 * Return: 0, %-ENOMEM, or a negative errno of eventfd(2) or loop_poll().
 */
int loop_errands_create(struct loop_errands **errands, struct loop *loop, struct vl_err *err);

/**
 * loop_errands_close() - Do no more
 * @errands:	Errands.
 *
 * Those that wait and those that come later are answered with %-ECANCELED. To be
 * called before anybody waits for the end of a thread that may have an errand. Twice
 * is once.
 *
 * Context: the loop's thread.
 */
void loop_errands_close(struct loop_errands *errands);

/**
 * loop_errands_destroy() - Close and release
 * @errands:	Errands; NULL is allowed. No other thread may use them any more.
 *
 * Context: the loop's thread; the loop is still there.
 */
void loop_errands_destroy(struct loop_errands *errands);

/**
 * loop_errand() - Have something done on the loop's thread
 * @errands:	Errands.
 * @fn:		What.
 * @ctx:	For @fn.
 *
 * One after the other, in the order of the calls. On the loop's own thread @fn is
 * called at once.
 *
 * Context: any thread, without a lock that the loop's handlers take.
 * Return: what @fn has returned, or %-ECANCELED: @fn was not called.
 */
int loop_errand(struct loop_errands *errands, loop_errand_fn *fn, void *ctx);

#endif /* VRINGLAB_LOOP_ERRAND_H */
