/* Start of the test program on Linux, and of its threads. */
        .text
        .globl  alpha_host_entry, alpha_host_clone

alpha_host_entry:
        movq    %rsp, %rdi
        xorl    %ebp, %ebp
        andq    $-16, %rsp
        callq   alpha_host_main
        ud2

alpha_host_clone:                       /* rdi = stack, rsi = index */
        pushq   %r12
        movq    %rsi, %r12
        movq    %rdi, %rsi
        movl    $0x50f00, %edi          /* VM, FS, FILES, SIGHAND, THREAD, SYSVSEM */
        xorl    %edx, %edx
        xorl    %r10d, %r10d
        xorl    %r8d, %r8d
        movl    $56, %eax
        syscall
        testq   %rax, %rax
        jz      1f
        popq    %r12
        retq
1:      movq    %r12, %rdi
        jmp     alpha_worker_entry

        .section .note.GNU-stack,"",@progbits
