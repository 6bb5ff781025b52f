/* Entry of every thread, and the change of stacks when a worker starts and ends a thread of the C library. */
        .text
        .globl  alpha_entry, alpha_worker_entry, alpha_enter, alpha_leave, alpha_jump, _DYNAMIC
        .type   alpha_entry,@function
        .type   alpha_worker_entry,@function
        .type   alpha_enter,@function
        .type   alpha_leave,@function
        .type   alpha_jump,@function

alpha_entry:                            /* rdi = start page, or a worker's index */
        cmpq    $64, %rdi
        jb      alpha_worker_entry
        xorl    %ebp, %ebp
        andq    $-16, %rsp
        callq   alpha_main_thread
        ud2

alpha_worker_entry:                     /* rdi = index */
        xorl    %ebp, %ebp
        andq    $-16, %rsp
        callq   alpha_worker
        ud2

/* void alpha_enter(stack, body, argument, own_stack): saves what the caller needs, notes rsp, and runs body(argument)
 * on the other stack. Comes back through alpha_leave. */
alpha_enter:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rcx)
        movq    %rdi, %rsp
        andq    $-16, %rsp
        xorl    %ebp, %ebp
        movq    %rdx, %rdi
        callq   *%rsi
        ud2                             /* a body ends by an exit call, never by returning */

alpha_leave:                            /* rdi = what alpha_enter noted */
        movq    %rdi, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        retq

alpha_jump:                             /* rdi = stack, rsi = body, which does not return */
        movq    %rdi, %rsp
        andq    $-16, %rsp
        xorl    %ebp, %ebp
        callq   *%rsi
        ud2

        /* The C library asks whether there is dynamic linking by this name; there is none. */
        .set    _DYNAMIC, 0

        .section .note.GNU-stack,"",@progbits
